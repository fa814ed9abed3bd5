"""Policies in ONNX: a graph of a few of its oldest operators, put together by the `onnx` package's own helpers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from league.evaluation import policy_file
from league.exports.contents import Contents
from mjx_arena.types import Box
from ppo import normalizer
from ppo.distributions import ILLEGAL

# Of 2021 and 2022: onnxruntime 1.12 and later load them.
_OPSET, _IR_VERSION = 17, 8
_TYPES = {"float32": TensorProto.FLOAT, "bool": TensorProto.BOOL}
_ACTIVATIONS = {"tanh": "Tanh", "elu": "Elu", "relu": "Relu"}  # swish is x * Sigmoid(x)


def write(path: Path, contents: Contents) -> None:
    """Writes the model. Raises PolicyFileError if it cannot."""
    policy_file.write(path, model(contents).SerializeToString())


def model(contents: Contents) -> onnx.ModelProto:
    """Returns the model: inputs as in `Contents.inputs`, outputs `action` and `value` `[batch]`.

    Actions are controls `[batch, n]` float32, or choices `[batch]` int32.
    """
    graph, about, action = _Graph(), contents.about, contents.policy.action
    _add_policy(graph, contents)
    inputs = [
        helper.make_tensor_value_info(name, _TYPES[kind], ["batch", size])
        for name, (size, kind) in contents.inputs.items()
    ]
    outputs = [
        helper.make_tensor_value_info("action", TensorProto.FLOAT, ["batch", action.size])
        if isinstance(action, Box)
        else helper.make_tensor_value_info("action", TensorProto.INT32, ["batch"]),
        helper.make_tensor_value_info("value", TensorProto.FLOAT, ["batch"]),
    ]
    found = helper.make_model(
        helper.make_graph(graph.nodes, about["task"]["name"], inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="mjx-arena",
        doc_string=f"A policy of {about['task']['name']}, iteration {about['iteration']}",
    )
    helper.set_model_props(found, {policy_file.ABOUT: json.dumps(about)})
    onnx.checker.check_model(found, full_check=True)
    return found


class _Graph:
    """Nodes and constants of a graph that grows."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Adds a node; returns the name of its output, `output`, or one of its own for None."""
        name = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        """Adds a constant; returns its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name


def _add_policy(graph: _Graph, contents: Contents) -> None:
    policy, state = contents.policy, contents.state
    centred = graph.add("Sub", "observation", graph.constant("mean", state.normalizer.mean))
    scaled = graph.add("Mul", centred, graph.constant("scale", normalizer.scale(state.normalizer)))
    bounds = (graph.constant("lowest", -normalizer.CLIP), graph.constant("highest", normalizer.CLIP))
    seen = graph.add("Clip", scaled, *bounds)
    value = _add_network(graph, "critic", seen, contents)
    graph.add("Squeeze", value, graph.constant("last_axis", [1], np.int64), output="value")
    found = _add_network(graph, "actor", seen, contents)
    if isinstance(policy.action, Box):
        if contents.sampled:
            deviation = graph.constant("deviation", np.exp(policy.log_std(state)))
            found = graph.add("Add", found, graph.add("Mul", "noise", deviation))
        graph.add("Identity", found, output="action")
        return
    if contents.masked:
        found = graph.add("Where", "mask", found, graph.constant("illegal", ILLEGAL))
    if contents.sampled:
        found = graph.add("Add", found, "noise")
    # int32 as in JAX; the 64 bits that ArgMax returns are no plain numbers in a browser.
    graph.add("Cast", graph.add("ArgMax", found, axis=1, keepdims=0), output="action", to=TensorProto.INT32)


def _add_network(graph: _Graph, name: str, x: str, contents: Contents) -> str:
    layers, activation = contents.state.params[name]["params"], contents.policy.settings.activation
    for index in range(len(layers)):
        layer = layers[f"Dense_{index}"]
        kernel = graph.constant(f"{name}.{index}.kernel", layer["kernel"])
        x = graph.add("Gemm", x, kernel, graph.constant(f"{name}.{index}.bias", layer["bias"]))
        if index < len(layers) - 1:
            swish = activation == "swish"
            x = graph.add("Mul", x, graph.add("Sigmoid", x)) if swish else graph.add(_ACTIVATIONS[activation], x)
    return x
