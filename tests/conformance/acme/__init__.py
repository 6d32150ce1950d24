"""Acme, a provider made up for these tests: a whole plugin and its emulator, as correct as one can be."""

from .emulator import AcmeEmulator
from .provider import Acme, AcmeSettings

__all__ = ["Acme", "AcmeEmulator", "AcmeSettings"]
