"""BERT in plain NumPy and float64, written from the paper: the oracle of the encoder.

Devlin et al. 2019 (section 3) on Vaswani et al. 2017 (section 3); one text, one head
and one token at a time where that is plainer. Nothing here comes from kbert.
"""

import math

import numpy as np

_erf = np.vectorize(math.erf)


def gelu(x):
    return x * 0.5 * (1 + _erf(x / math.sqrt(2)))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def layer_normalization(x, gamma, beta, epsilon):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def attention(x, query, key, value, output, num_heads):
    """``x`` [T, H] without padding; each part is (kernel, bias).

    Returns: [T, H] and the weights [N, T, T].
    """
    q, k, v = (x @ kernel + bias for kernel, bias in (query, key, value))
    depth = x.shape[1] // num_heads
    mixed, weights = [], []
    for head in range(num_heads):
        part = slice(head * depth, (head + 1) * depth)
        weights.append(softmax(q[:, part] @ k[:, part].T / math.sqrt(depth)))
        mixed.append(weights[-1] @ v[:, part])
    kernel, bias = output
    return np.concatenate(mixed, axis=1) @ kernel + bias, np.stack(weights)


def encode(weights, config, token_ids, segment_ids):
    """One text without padding.

    Args:
        weights: arrays by kbert's names (``layer_1/attention/output/kernel``).
        config: object with the sizes.
        token_ids, segment_ids: [T].

    Returns:
        The L + 1 hidden states [T, H], the L attention weights [N, T, T], and the
        pooled vector [H].
    """
    weights = {name: np.asarray(one, "float64") for name, one in weights.items()}

    def dense(name):
        return weights[f"{name}/kernel"], weights[f"{name}/bias"]

    def normalized(x, name):
        gamma, beta = weights[f"{name}/gamma"], weights[f"{name}/beta"]
        return layer_normalization(x, gamma, beta, config.layer_norm_epsilon)

    x = weights["embeddings/token"][token_ids]
    x = x + weights["embeddings/segment"][segment_ids]
    x = x + weights["embeddings/position"][: len(token_ids)]
    hidden, attentions = [normalized(x, "embeddings/layer_norm")], []
    activation = {"gelu": gelu, "gelu_tanh": gelu_tanh}[config.activation]
    for number in range(1, config.num_layers + 1):
        layer, x = f"layer_{number}", hidden[-1]
        kernel, bias = dense(f"{layer}/attention/query_key_value")
        parts = zip(np.split(kernel, 3, axis=1), np.split(bias, 3), strict=True)
        out = dense(f"{layer}/attention/output")
        mixed, weight = attention(x, *parts, out, config.num_heads)
        x = normalized(x + mixed, f"{layer}/attention_layer_norm")
        kernel, bias = dense(f"{layer}/intermediate")
        inner = activation(x @ kernel + bias)
        kernel, bias = dense(f"{layer}/output")
        x = normalized(x + inner @ kernel + bias, f"{layer}/output_layer_norm")
        hidden.append(x)
        attentions.append(weight)
    kernel, bias = dense("pooler/dense")
    return hidden, attentions, np.tanh(hidden[-1][0] @ kernel + bias)
