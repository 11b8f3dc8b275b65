"""Reports made from files: the model card, the README's figures and the doctor."""
