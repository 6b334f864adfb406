"""PyTorch kept on a short lead: one thread, seeds of our own, networks to and from plain arrays.

Nothing hangs on the global random state of PyTorch: two trainings in two threads would mix their draws.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..errors import ConfigError

Network = TypeVar("Network", bound=nn.Module)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run PyTorch on one thread of the processor; more would change the last digits of some products.

    The global random state comes out as it went in: layers draw weights from it when they are made.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Hold a GPU to algorithms that give the same digits each time; a processor with one thread does so anyway."""
    if device.type != "cuda":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    # Read when the first product is taken, so that it comes too late for a program that has used the GPU already.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def device_named(name: str) -> torch.device:
    """Return the device meant by ``"cpu"``, ``"cuda"`` or ``"auto"``.

    Raises
    ------
    ConfigError
        A GPU is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is cuda, and PyTorch finds no GPU here. Use device=auto or device=cpu.")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


def seeded(rng: np.random.Generator, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a random stream of PyTorch that goes on from ``rng``."""
    return torch.Generator(device=device).manual_seed(int(rng.integers(2**62)))


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Give layers their usual random weights, from ``generator`` (of the processor) instead of the global state."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -bound, bound, generator=generator)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, generator=generator)


def arrays_of(network: nn.Module) -> dict[str, NDArray[Any]]:
    """Return weights and buffers as arrays by name."""
    return {name: value.detach().cpu().numpy().copy() for name, value in network.state_dict().items()}


def with_arrays(network: Network, arrays: Mapping[str, NDArray[Any]], dtype: torch.dtype = torch.float32) -> Network:
    """Return ``network``, for use only, with weights that `arrays_of` gave.

    Raises
    ------
    ValueError
        They are weights of another network.
    """
    try:
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
    except RuntimeError as error:
        raise ValueError("weights of another network") from error
    return network.to(dtype).requires_grad_(False).eval()


def tensor(
    values: NDArray[Any], device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """Return floating-point values as a tensor."""
    return torch.as_tensor(np.asarray(values), dtype=dtype, device=device)
