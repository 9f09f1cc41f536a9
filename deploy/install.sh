#!/bin/sh
# Create .venv for this machine: detects Python and chooses vLLM's CPU or CUDA build.
# Set PYTHON to choose the interpreter, EXTRAS to choose the extras (default: demo,dev plus cpu or cuda).
set -eu
cd "$(dirname "$0")/.."
say() { printf 'setup: %s\n' "$*"; }

for candidate in ${PYTHON:-} python3.11 python3.12 python3; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "${python:-}" ]; then
    say "expected Python 3.11 or 3.12, found neither; install one or set PYTHON=/path/to/python3.11" >&2
    exit 2
fi

engine='' gpu=''
case "$(uname -s) $(uname -m)" in
"Linux x86_64")
    if nvidia-smi -L >/dev/null 2>&1; then
        engine=cuda gpu="NVIDIA GPU found: "
    else
        engine=cpu gpu="no NVIDIA GPU found: "
    fi
    ;;
*)
    say "$(uname -s) on $(uname -m): vLLM has no build for this platform. Available: the openai engine (any"
    say "OpenAI-compatible server), IFD scoring, the fake engine. Not available: the vllm engine and make demo."
    ;;
esac
extras=${EXTRAS:-demo,dev${engine:+,$engine}}
case ",$extras," in
*,cpu,*) engine=cpu && say "${gpu}vLLM for the CPU" ;;
*,cuda,*) engine=cuda && say "${gpu}vLLM for CUDA" ;;
esac

[ -x .venv/bin/python ] || "$python" -m venv .venv
say "$(.venv/bin/python --version) in .venv; installing staragents[$extras]"
# pip reads the user's index and wheelhouse settings, but uv does not: pass them on.
.venv/bin/python -m pip install --quiet --disable-pip-version-check uv
from_pip() { .venv/bin/python -m pip config get "global.$1" 2>/dev/null || true; }
UV_FIND_LINKS=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-$(from_pip find-links)}}
UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$(from_pip index-url)}}
[ -n "$UV_FIND_LINKS" ] && export UV_FIND_LINKS || unset UV_FIND_LINKS
[ -n "$UV_DEFAULT_INDEX" ] && export UV_DEFAULT_INDEX || unset UV_DEFAULT_INDEX

# Where Python may not write bytecode, every process of a run would compile thousands of modules again.
[ -z "${PYTHONDONTWRITEBYTECODE:-}" ] || export UV_COMPILE_BYTECODE=1

install() {
    .venv/bin/uv pip install --quiet --python .venv/bin/python \
        --constraint constraints.txt --override overrides.txt --editable ".[$extras]" "$@"
}
if [ "$engine" = cuda ]; then
    install
elif [ -n "${UV_FIND_LINKS:-}" ] && install --override overrides-cpu.txt 2>/dev/null; then
    say "installed torch for the CPU from the configured wheelhouse"
else
    say "installing torch for the CPU from PyTorch's own index"
    install --override overrides-cpu.txt --torch-backend=cpu
fi
[ -z "${PYTHONDONTWRITEBYTECODE:-}" ] || .venv/bin/python -m compileall -q staragents actors cluster
say "done"
