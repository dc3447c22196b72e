"""Sets up whatever is missing for running and testing, and nothing twice: `python scripts/prepare.py [python|all]`.

Runs before any package is there, so it uses the standard library only. What was done is remembered by a stamp that
holds the hash of what it was made from.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
WEB = ROOT / ".web"
LOCK = ROOT / "reflex.lock"
PACKAGES_STAMP = VENV / "blitzhub-packages.stamp"
FRONTEND_STAMP = WEB / "blitzhub-frontend.stamp"
FRONTEND_SOURCES = ("blitzhub", "assets", "reflex.lock", "rxconfig.py", "requirements.txt")
TICK_S = 10


class SetupFailed(Exception):
    """A step failed; the message is for the person who typed the command."""


def say(text: str) -> None:
    """One line on the terminal, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run_step(title: str, command: list[str], environment: dict[str, str]) -> None:
    """Run a long command with its output kept back, telling that it goes on; its output is shown if it fails."""
    started = time.monotonic()
    say(f"{title}…")
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = b""
    try:
        while process.returncode is None:
            try:
                output, _ = process.communicate(timeout=TICK_S)
            except subprocess.TimeoutExpired:
                say(f"{title}… {time.monotonic() - started:.0f} s")
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if process.returncode != 0:
        raise SetupFailed(f"{output.decode(errors='replace')}\n{title} failed: the reason is above.")
    say(f"{title}: done in {time.monotonic() - started:.0f} s")


def digest(paths: Iterable[Path], *labels: str) -> str:
    """SHA-256 over names and contents of files, and over labels."""
    total = hashlib.sha256("\0".join(labels).encode())
    for path in sorted(paths):
        total.update(f"\0{path.relative_to(ROOT)}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def stamped(stamp: Path, wanted: str) -> bool:
    """Whether the stamp says that this was made already."""
    return stamp.exists() and stamp.read_text() == wanted


def make_venv() -> None:
    """Create `.venv` if there is none that runs."""
    python = VENV / "bin" / "python"
    if python.exists():
        return
    try:
        import ensurepip  # noqa: F401  Debian ships Python without it until python3-venv is installed
    except ImportError as error:
        raise SetupFailed(
            "Python's venv module is missing: install it (on Debian: apt install python3-venv)."
        ) from error
    started = time.monotonic()
    say("[1/3] Python environment…")
    venv.create(VENV, with_pip=True)
    say(f"[1/3] Python environment: done in {time.monotonic() - started:.0f} s")


def install_packages() -> None:
    """Install exactly the locked packages, each checked against its hashes."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted = digest([ROOT / "requirements.txt"], version)
    if stamped(PACKAGES_STAMP, wanted):
        return
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--require-hashes", "--no-input"]
    command += ["--disable-pip-version-check", "--requirement", "requirements.txt"]
    run_step("[2/3] Python packages", command, dict(os.environ))
    PACKAGES_STAMP.write_text(wanted)


def frontend_files() -> list[Path]:
    """Every file the frontend is built from."""
    found: list[Path] = []
    for name in FRONTEND_SOURCES:
        path = ROOT / name
        found += [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    external = ROOT / "assets" / "external"
    return [each for each in found if "__pycache__" not in each.parts and external not in each.parents]


def build_environment() -> dict[str, str]:
    """The environment of the frontend build: the packages' own bun, and the registry this machine uses."""
    environment = os.environ | {
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "REFLEX_USE_SYSTEM_BUN": "1",
        "REFLEX_TELEMETRY_ENABLED": "false",
        "REFLEX_CHECK_LATEST_VERSION": "0",
    }
    npm = shutil.which("npm")
    if npm and "NPM_CONFIG_REGISTRY" not in environment:
        asked = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, check=False)
        if asked.returncode == 0 and asked.stdout.startswith("http"):
            environment["NPM_CONFIG_REGISTRY"] = asked.stdout.strip()
    return environment


def normalise_lock() -> None:
    """Keep package.json in the one form that later builds leave alone."""
    import json

    path = LOCK / "package.json"
    path.write_text(json.dumps(json.loads(path.read_text())))


def build_frontend() -> None:
    """Build the web frontend if anything it is made from has changed."""
    if stamped(FRONTEND_STAMP, digest(frontend_files())):
        return
    FRONTEND_STAMP.unlink(missing_ok=True)
    command = [str(VENV / "bin" / "reflex"), "export", "--frontend-only", "--no-zip"]
    run_step("[3/3] Web frontend", command, build_environment())
    normalise_lock()
    FRONTEND_STAMP.write_text(digest(frontend_files()))


def main() -> int:
    """Set up what the argument names: `python` for the environment alone, `all` for the frontend too."""
    try:
        make_venv()
        install_packages()
        if sys.argv[1:] != ["python"]:
            build_frontend()
    except SetupFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped; the next run goes on from here.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
