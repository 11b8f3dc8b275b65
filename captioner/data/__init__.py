"""Photographs and captions: pictures, samples, generated shapes, data sets and their file formats."""
