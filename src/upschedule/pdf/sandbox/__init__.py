"""Reads hostile documents in processes that can do nothing else: docs/decisions/0003-pdf-sandbox.md."""

from upschedule.pdf.sandbox.errors import ProtectionMissing, QuantumUsedUp, SandboxFailed
from upschedule.pdf.sandbox.limits import Protection, SandboxLimits, SandboxPolicy
from upschedule.pdf.sandbox.messages import ReaderFunction
from upschedule.pdf.sandbox.reading import OnProgress, Sandbox, read_once

__all__ = [
    "OnProgress",
    "Protection",
    "ProtectionMissing",
    "QuantumUsedUp",
    "ReaderFunction",
    "Sandbox",
    "SandboxFailed",
    "SandboxLimits",
    "SandboxPolicy",
    "read_once",
]
