"""What stands between a text's pooled vector and its final one: Dense and LayerNorm of sentence-transformers.

Weights have sentence-transformers' names, so that each library reads what the other wrote.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from retrieval.errors import ModelError
from retrieval.models.hf_files import read_object, refuse_others
from retrieval.models.io.weights import read_state, write_weights

_CONFIG_FILE = "config.json"
_ACTIVATIONS: dict[str, type[nn.Module]] = {
    one.__name__: one
    for one in (nn.Identity, nn.Tanh, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU,
                nn.Mish, nn.Sigmoid, nn.Softplus, nn.Softsign, nn.Hardtanh, nn.Hardswish)
}  # fmt: skip
_OUTPUT = "sentence_embedding"
_DENSE_KEYS = frozenset(
    {"in_features", "out_features", "bias", "activation_function", "module_input_name", "module_output_name",
     "use_residual"}
)  # fmt: skip

Kind = Literal["Dense", "LayerNorm", "Normalize"]


@dataclass(frozen=True)
class Step:
    """One module after the pooling, as modules.json lists it.

    Attributes:
        kind: Last word of its type.
        home: Its folder.
    """

    kind: Kind
    home: Path


class Dense(nn.Module):
    """A linear layer with an activation, and the vector itself added where it is residual."""

    kind: Kind = "Dense"

    def __init__(
        self, width: int, out: int, bias: bool = True, activation: str = "Tanh", residual: bool = False
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(width, out, bias=bias)
        self.activation = _ACTIVATIONS[activation]()
        self.is_residual = residual
        if residual and width != out:
            self.residual = nn.Linear(width, out, bias=False)

    def forward(self, vectors: Tensor) -> Tensor:
        """From (B, width) to (B, out)."""
        result: Tensor = self.activation(self.linear(vectors))
        if not self.is_residual:
            return result
        return result + (self.residual(vectors) if hasattr(self, "residual") else vectors)

    @property
    def out(self) -> int:
        """Numbers of a vector it gives."""
        return self.linear.out_features

    def description(self) -> dict[str, Any]:
        """What sentence-transformers' config.json says of it."""
        kind = type(self.activation)
        values = {
            "in_features": self.linear.in_features,
            "out_features": self.linear.out_features,
            "bias": self.linear.bias is not None,
            "activation_function": f"{kind.__module__}.{kind.__name__}",
        }
        return values | ({"use_residual": True} if self.is_residual else {})


class LayerNorm(nn.Module):
    """Normalisation of each vector's numbers, with learnt scales."""

    kind: Kind = "LayerNorm"

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.out = width

    def forward(self, vectors: Tensor) -> Tensor:
        """From (B, width) to the same shape."""
        result: Tensor = self.norm(vectors)
        return result

    def description(self) -> dict[str, Any]:
        """As of `Dense`."""
        return {"dimension": self.out}


class UnitLength(nn.Module):
    """Unit length in between; the last Normalize of a model is a setting of the bi-encoder."""

    kind: Kind = "Normalize"

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out = width

    def forward(self, vectors: Tensor) -> Tensor:
        """From (B, width) to the same shape."""
        return functional.normalize(vectors, dim=-1)

    def description(self) -> dict[str, Any]:
        """As of `Dense`."""
        return {}


Projection = Dense | LayerNorm | UnitLength


class Projections(nn.Module):
    """Modules after the pooling, one after another; of most models there are none.

    Attributes:
        steps: In order.
    """

    def __init__(self, steps: Sequence[Projection] = ()) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def __len__(self) -> int:
        return len(self.steps)

    def forward(self, vectors: Tensor) -> Tensor:
        """From (B, hidden_size) to (B, `width`) float32."""
        for step in self.steps:
            vectors = step(vectors)
        return vectors.float()

    def width(self, hidden_size: int) -> int:
        """Numbers of a final vector, from those of a pooled one."""
        return next((int(step.out) for step in reversed(self.steps)), hidden_size)  # type: ignore[arg-type]

    def write(self, folder: Path, first: int) -> list[tuple[str, str]]:
        """Write each module into a folder of its own, as sentence-transformers reads it.

        Args:
            folder: The model's.
            first: Number of the first module.

        Returns:
            Path below ``folder`` and kind of each.
        """
        written = []
        for number, step in enumerate(self.steps, first):
            name = f"{number}_{step.kind}"
            home = folder / name
            home.mkdir()
            text = json.dumps(step.description(), indent=2)  # type: ignore[operator]
            (home / _CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
            state = {key: tensor.detach().float().cpu().contiguous() for key, tensor in step.state_dict().items()}
            if state:
                write_weights(state, home)
            written.append((name, str(step.kind)))
        return written


def read_projections(steps: Sequence[Step], hidden_size: int) -> Projections:
    """Read the modules after the pooling, weights included.

    Args:
        steps: In order.
        hidden_size: Numbers of a pooled vector.

    Raises:
        ModelError: If one is damaged, does not fit the one before it, or asks for what is not done here.
    """
    made: list[Projection] = []
    width = hidden_size
    for step in steps:
        module = _made(step, width)
        if step.kind != "Normalize":
            try:
                module.load_state_dict({name: tensor.float() for name, tensor in read_state(step.home).items()})
            except RuntimeError as error:
                raise ModelError(
                    f"{step.home}: its weights do not fit its {_CONFIG_FILE} ({error}); give the two as saved together"
                ) from error
        made.append(module)
        width = module.out
    return Projections(made)


def _made(step: Step, width: int) -> Projection:
    """The module without its weights."""
    if step.kind == "Normalize":
        return UnitLength(width)
    path = step.home / _CONFIG_FILE
    values = read_object(path)
    if step.kind == "LayerNorm":
        _check_width(values.get("dimension"), width, path, "dimension")
        return LayerNorm(width)
    refuse_others(values, _DENSE_KEYS, str(path))
    names = {values.get("module_input_name") or _OUTPUT, values.get("module_output_name") or _OUTPUT}
    if names != {_OUTPUT}:
        raise ModelError(f"{path}: a Dense on {', '.join(sorted(names))}, not {_OUTPUT}; give another model")
    _check_width(values.get("in_features"), width, path, "in_features")
    out = values.get("out_features")
    if not isinstance(out, int) or out < 1:
        raise ModelError(f"{path}: out_features is {out!r}, not a number of features; restore the file")
    bias, residual = values.get("bias", True) is not False, bool(values.get("use_residual"))
    return Dense(width, out, bias, _activation(values, path), residual)


def _activation(values: dict[str, Any], path: Path) -> str:
    """Name of a torch activation; a file that names none means Tanh, as it does in sentence-transformers."""
    name = values.get("activation_function")
    if name is None:
        return "Tanh"
    last = str(name).rpartition(".")[2]
    if not str(name).startswith("torch.nn.") or last not in _ACTIVATIONS:
        raise ModelError(
            f"{path}: activation_function {name!r} is not one of torch.nn's {', '.join(_ACTIVATIONS)}; give another"
        )
    return last


def _check_width(given: object, width: int, path: Path, name: str) -> None:
    if given != width:
        raise ModelError(f"{path}: {name} is {given!r}, but vectors before it have {width} numbers; restore the file")
