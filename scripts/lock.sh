#!/usr/bin/env bash
# Writes requirements/*.lock from pyproject.toml with pip-tools, in an environment of its own (make lock).
# All sets are resolved together first, so that they can be installed side by side.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=build/lock-tools
[ -x $tools/bin/pip-compile ] || {
    rm -rf $tools
    "${PYTHON:-python3}" -m venv $tools
    $tools/bin/python -m pip install -qq --disable-pip-version-check pip-tools==7.6.2
}

compile() { # OUTPUT ARGUMENT...
    local output=$1
    shift
    $tools/bin/pip-compile --quiet --strip-extras --allow-unsafe --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
        --output-file "$output" "$@" pyproject.toml
    # A local build such as torch 2.13.0+cpu has the name of the release that every index has.
    sed -i -E 's/^([^ ]+==[^ +]+)\+[^ ]+/\1/; /^#/d; /^$/d' "$output"
}

mkdir -p requirements
everything=build/everything.txt
rm -f build/*.lock $everything
# Versions that are locked already stay, unless newer ones are asked for.
[ -n "${UPGRADE:-}" ] || sort -u requirements/*.lock 2>/dev/null | grep -v '^#' >$everything || true
program=(--extra vcam --build-deps-for editable)
compile $everything --all-extras --build-deps-for editable
for set in run openvino dev train; do
    case $set in
        run) extras=("${program[@]}") ;;
        openvino) extras=("${program[@]}" --extra openvino) ;;
        dev) extras=("${program[@]}" --extra dev --extra openvino --extra tensorrt) ;;
        train) extras=(--extra train) ;;
    esac
    compile build/$set.lock --constraint $everything "${extras[@]}"
    {
        echo '# Written by `make lock` (UPGRADE=1 for newer versions) from pyproject.toml: do not edit.'
        cat build/$set.lock
    } >requirements/$set.lock
    echo "requirements/$set.lock: $(grep -c == requirements/$set.lock) packages"
done
