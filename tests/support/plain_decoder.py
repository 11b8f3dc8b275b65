"""The decoder written anew from the formulas, one photograph, one word and one head at a time: what the fast ones must say."""

import math

import numpy as np


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


class PlainDecoder:
    """A decoder for one photograph and one word at a time.

    With word slots, `slots` holds for each the table's row of its word, its vector and its measures; None where it is empty.
    """

    def __init__(self, config, weights, features, slots=()):
        self.config = config
        self.weights = {name: np.asarray(value, np.float64) for name, value in weights.items()}
        entry = self.config.image_entry
        if entry == "attention":
            self.image = np.array([self.norm(np.maximum(self.dense("image", region), 0)) for region in features])
            pooled = self.image.mean(axis=0)
        else:
            flat = self.config.pooling == "blocks"
            pooled = self.dense("image", self.blocks(features) if flat else features.mean(axis=0))
            self.image = pooled = self.norm(pooled if entry == "pre" else np.maximum(pooled, 0))
        self.hidden = [np.zeros(self.config.units) for _ in range(self.config.layers)]
        self.memory = [np.zeros(self.config.units) for _ in range(self.config.layers)]
        if entry in ("attention", "init"):
            for layer in range(self.config.layers):
                self.hidden[layer] = np.tanh(self.dense(f"start_h{layer}", pooled))
                self.memory[layer] = np.tanh(self.dense(f"start_c{layer}", pooled))
        if entry == "pre":
            self.lstm(self.image)
        self.slots, self.said = slots, set()
        self.read = [slot and np.maximum(self.dense("slot", np.concatenate(slot[1:])), 0) for slot in slots]

    @staticmethod
    def blocks(features):
        """Three by three blocks, end to end: of four by four regions each is two by two, of three by three a single one."""
        side = math.isqrt(len(features))
        grid, size = features.reshape(side, side, -1), side - 2
        return np.concatenate([grid[y : y + size, x : x + size].mean(axis=(0, 1)) for y in range(3) for x in range(3)])

    def norm(self, values):
        if self.config.image_norm == "none":
            return values
        scale, bias, mean, variance = (self.weights[f"image_norm/{part}"] for part in ("scale", "bias", "mean", "variance"))
        return (values - mean) / np.sqrt(variance + 1e-5) * scale + bias

    def dense(self, name, inputs):
        return inputs @ self.weights[f"{name}/kernel"] + self.weights[f"{name}/bias"]

    def lstm(self, inputs, context=None):
        squash = {"tanh": np.tanh, "relu": lambda values: np.maximum(values, 0)}[self.config.activation]
        for layer in range(self.config.layers):
            gates = self.dense(f"lstm{layer}", inputs) + self.hidden[layer] @ self.weights[f"lstm{layer}/recurrent_kernel"]
            if layer == 0 and context is not None:
                gates = gates + context @ self.weights["context/kernel"]
            input_gate, forget_gate, output_gate, candidate = np.split(gates, 4)
            self.memory[layer] = sigmoid(forget_gate) * self.memory[layer] + sigmoid(input_gate) * squash(candidate)
            inputs = self.hidden[layer] = sigmoid(output_gate) * squash(self.memory[layer])
        return inputs

    def look_before(self):
        """Additive attention: the context and where it looked, from what the first layer said last."""
        query, fits = self.dense("query", self.hidden[0]), []
        for region in self.image:
            fits.append(np.tanh(region @ self.weights["keys/kernel"] + query) @ self.weights["energy/kernel"][:, 0])
        look = np.exp(fits) / np.exp(fits).sum()
        return sum(weight * region for weight, region in zip(look, self.image, strict=True)), look

    @property
    def open_slots(self):
        """The numbers of the slots whose word was not said yet."""
        return [number for number, slot in enumerate(self.slots) if slot and slot[0] not in self.said]

    def attend(self, query):
        """The context, and the mean over heads of where each of them looked: at the regions, then at the slots."""
        depth = self.config.image_units // self.config.heads
        contexts, looks = [], []
        seen = np.array([*self.image, *(self.read[number] for number in self.open_slots)])
        for head in range(self.config.heads):
            part = slice(head * depth, (head + 1) * depth)
            scores = np.array([query[part] @ region[part] for region in seen]) / np.sqrt(depth)
            looks.append(np.exp(scores) / np.exp(scores).sum())
            contexts.append(looks[-1] @ seen[:, part])
        look = np.zeros(len(self.image) + len(self.slots))
        look[[*range(len(self.image)), *(len(self.image) + number for number in self.open_slots)]] = np.mean(looks, axis=0)
        return np.concatenate(contexts), look

    def mixed(self, output):
        """The probability of every word of the vocabulary and then of each slot's word outside of it, and of each copy."""
        scores = self.dense("words", output)
        probabilities = np.zeros(len(scores) + len(self.slots))
        probabilities[: len(scores)] = np.exp(scores) / np.exp(scores).sum()
        gate, query = np.exp(self.dense("copy_gate", output)[0]), self.dense("copy_query", output)
        fits = {}
        for number in self.open_slots:
            key = self.read[number] @ self.weights["slot_key/kernel"]
            bias = (self.read[number] @ self.weights["slot_bias/kernel"])[0]
            fits[number] = np.exp(key @ query / np.sqrt(self.config.image_units) + bias)
        total, copied = gate + sum(fits.values()), np.zeros(len(self.slots))
        probabilities *= gate / total
        for number, fit in fits.items():
            word = self.slots[number][0]
            copied[number] = fit / total
            probabilities[word if word < len(scores) else len(scores) + number] += fit / total
        return probabilities, copied

    def step(self, word):
        """The scores of the next word, and where the decoder looked; with slots its probability, and then what it copies."""
        vector, look = self.weights["decoder/table"][word], None
        self.said.add(word)
        if self.config.image_entry == "attention" and self.config.attention == "additive":
            context, look = self.look_before()
            output = np.concatenate([self.lstm(vector, context), context])
        elif self.config.image_entry == "attention":
            output = self.lstm(vector)
            context, look = self.attend(self.dense("query", output))
            output = np.concatenate([output, context])
        else:
            output = self.lstm(vector)
            if self.config.image_entry == "merge":
                output = output + self.image
        if self.config.hidden_units:
            output = np.maximum(self.dense("hidden", output), 0)
        if self.slots:
            probabilities, copied = self.mixed(output)
            return probabilities, np.concatenate([look, copied])
        return self.dense("words", output), look


def log_softmax(scores):
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
