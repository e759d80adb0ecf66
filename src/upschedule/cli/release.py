"""`upschedule release`: packs a commit for the cluster."""

from pathlib import Path

import click
import msgspec

from upschedule.cli.failing import fail
from upschedule.operations.release.errors import ReleaseError
from upschedule.operations.release.pack import pack
from upschedule.operations.release.push import push
from upschedule.operations.subprocesses import ProgramFailed
from upschedule.settings.servers import DEFAULT_REGION
from upschedule.stores.bucket import Bucket, BucketAddress, ObjectMissing
from upschedule.stores.errors import StoreError

_STORE_FAILED, _REFUSED = 3, 4
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(name="release")
@click.option("--repository", type=_FOLDER, default=Path(), show_default="here", help="The Git work tree.")
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("~/.cache/upschedule/releases").expanduser(),
    show_default="~/.cache/upschedule/releases",
    help="Where archives are kept.",
)
@click.option(
    "--python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=Path("/usr/bin/python3.11"),
    show_default=True,
    help="The interpreter that the nodes run, or one of the same minor version and platform.",
)
@click.option("--push", "wanted", is_flag=True, help="Send the archives to the object store.")
@click.option("--endpoint-url", envvar="AWS_ENDPOINT_URL", help="http(s)://HOST:PORT; or AWS_ENDPOINT_URL.")
@click.option("--access-key", envvar="AWS_ACCESS_KEY_ID", help="Give it as AWS_ACCESS_KEY_ID.")
@click.option("--secret-key", envvar="AWS_SECRET_ACCESS_KEY", help="Give it as AWS_SECRET_ACCESS_KEY.")
@click.option("--bucket", default="releases", show_default=True)
@click.option("--region", envvar="AWS_REGION", default=DEFAULT_REGION, show_default=True, help="Or AWS_REGION.")
def command(
    *,
    repository: Path,
    cache: Path,
    python: Path,
    endpoint_url: str | None,
    access_key: str | None,
    secret_key: str | None,
    bucket: str,
    region: str,
    wanted: bool,
) -> None:
    """Pack the current commit as two archives and print the manifest, one line of JSON.

    The same commit gives the same checksums. `pulumi config set release` takes the manifest. Exit codes: 3 when the
    object store fails, 4 when the release is refused or a program that packing needs fails.
    """
    store = _store(endpoint_url, access_key, secret_key, bucket, region) if wanted else None
    try:
        manifest = pack(repository, cache=cache, python=python, store=store)
        sent = push(manifest, cache, store) if store else []
    except (StoreError, ObjectMissing) as error:
        fail(_STORE_FAILED, store.explain(error) if store else error)
    except (ReleaseError, ProgramFailed) as error:
        fail(_REFUSED, error)
    else:
        click.echo(_sentence(sent) if store else f"Packed into {cache}; not pushed.", err=True)
        click.echo(msgspec.json.encode(manifest).decode())


def _store(
    endpoint_url: str | None, access_key: str | None, secret_key: str | None, bucket: str, region: str
) -> Bucket:
    if not (endpoint_url and access_key and secret_key):
        raise click.UsageError("--push needs AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    return Bucket(
        BucketAddress.from_url(endpoint_url, access_key=access_key, secret_key=secret_key, bucket=bucket, region=region)
    )


def _sentence(sent: list[str]) -> str:
    return f"Pushed: {', '.join(sent) or 'nothing, the store has it all'}."
