# What run, write_docs and self_test/run share: how a file is compiled, and how errors are read.

# label COMPILER: "g++ 12", "clang++ 19", "nvcc 13".
label() {
    local name version
    name=$(basename "$1")
    if [[ $name == nvcc* ]]; then
        version=$("$1" --version | sed -n 's/.* V\([0-9]*\)\..*/\1/p')
    else
        version=$("$1" -dumpversion)
    fi
    echo "${name%%-*} ${version%%.*}"
}

# compile COMPILER FILE INCLUDE_FOLDER [FLAG...]: prints what the compiler says and returns its
# status. Warnings are on; with -Werror, which nvcc spells in its own way, they are errors.
compile() {
    local compiler=$1 file=$2 include=$3 flag
    local -a command
    shift 3
    if [[ $(basename "$compiler") == nvcc* ]]; then
        # The device's half alone, which reads all of the file: the quickest way to its errors.
        command=("$compiler" -x cu -std=c++20 -cubin -arch=sm_75 -o /dev/null -I"$include")
        for flag in "$@"; do
            [ "$flag" != -Werror ] || flag=-Werror=all-warnings
            command+=("$flag")
        done
    else
        command=("$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wconversion
            -fdiagnostics-color=never -I"$include" "$@")
    fi
    LC_ALL=C "${command[@]}" "$file" 2>&1
}

# first_error: the first line of the input that contains `error:`, from there on.
first_error() {
    sed -n '/error:/ { s/.*error:/error:/; p; q }'
}

# read_as: without `typenet::` and with `>>` for `> >`, where compilers differ.
read_as() {
    sed -e 's/typenet:://g' -e ':again' -e 's/> >/>>/g' -e 't again'
}
