"""A worker to be killed: it reads for ever, and prints the process id of its zygote."""

import asyncio
from pathlib import Path

from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox import ReaderFunction, Sandbox, SandboxLimits


async def main() -> None:
    reader = ReaderFunction(function="hostile:hang", warm_up=None, search_path=(str(Path(__file__).parent),))
    async with Sandbox(limits=SandboxLimits(), reading=ReadingLimits(), reader=reader) as sandbox:
        zygote = sandbox._zygote
        assert zygote is not None
        await sandbox.read(b"", deadline_seconds=60, on_progress=lambda _done, _total: tell(zygote._process.pid))


def tell(process_id: int) -> None:
    print(process_id, flush=True)  # noqa: T201 -- the test reads it


asyncio.run(main())
