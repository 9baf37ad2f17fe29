"""How the modules hang together: read from the source, not from what runs."""

import ast
import configparser
import importlib
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import kbert
from kbert.cli.main import main

ROOT = Path(kbert.__file__).parents[1]
FOLDERS = {"kbert": ROOT / "kbert", "kbert.cli": ROOT / "cli"}
FILES = {
    ".".join((package, *path.relative_to(folder).with_suffix("").parts)): path
    for package, folder in FOLDERS.items()
    for path in sorted(folder.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in FILES.items()}
modules = pytest.mark.parametrize("name", FILES)

# A module may import those of a lower rank, and those of its own package.
RANKS = {
    "errors": 0,
    "io": 1,
    "fingerprints": 1,
    "interruption": 1,
    "bundled": 2,
    "config": 2,
    "vocabulary": 3,
    "parameters": 3,
    "readers": 3,
    "store": 3,
    "ops": 3,
    "metrics": 4,
    "optimizers": 4,
    "tokenizer": 4,
    "layers": 4,
    "crf": 4,
    "corpus": 5,
    "masking": 5,
    "encoder": 5,
    "heads": 5,
    "vocabulary_training": 6,
    "pretraining_data": 6,
    "model": 6,
    "objective": 7,
    "task_model": 8,
    "checkpoints": 7,
    "features": 8,
    "mask_filling": 8,
    "training": 8,
    "pretraining": 9,
    "tasks": 9,
    "finetuning": 10,
    "cli": 12,
    "__init__": 13,
    "__main__": 13,
}


def rank_name(module):
    """``kbert.store.shard`` → ``store``."""
    return module.split(".")[1]


def of_packages(*names):
    return [module for module in FILES if rank_name(module) in names]


def is_package(module):
    return FILES[module].name == "__init__.py"


def imported(module, tree):
    """(full name, node) of everything that a piece of a module imports."""
    parts = module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level + 1] if node.level else []
            start = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:
                yield f"{start}.{alias.name}", node


def own_module(name):
    """The module of ours that an imported name means or stands in, if any."""
    for candidate in (name, name.rpartition(".")[0]):
        for module in (candidate, f"{candidate}.__init__"):
            if module in FILES and module != "kbert.__init__":
                return module
    return None


def calls(tree):
    """(what is called as source text, node) of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def functions(tree):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


# === Imports ===


@modules
def test_imports_go_one_way(name):
    for target, _ in imported(name, TREES[name]):
        module = own_module(target)
        if module is None or rank_name(module) == rank_name(name):
            continue
        assert RANKS[rank_name(module)] < RANKS[rank_name(name)], f"{name} → {target}"


def test_every_module_has_a_rank():
    assert {rank_name(module) for module in FILES} == set(RANKS)


@pytest.mark.parametrize("name", of_packages("layers", "encoder", "heads", "crf"))
def test_model_code_does_not_know_tensorflow(name):
    source = FILES[name].read_text("utf-8")

    assert not re.search(r"import tensorflow|\btf\.", source)


@pytest.mark.parametrize("name", of_packages("ops", "optimizers"))
def test_ops_import_tensorflow_only_inside_their_functions(name):
    tree = TREES[name]
    inside = {node for one in functions(tree) for _, node in imported(name, one)}
    outside = {target for target, node in imported(name, tree) if node not in inside}

    assert not any(target.startswith(("tensorflow", "jax")) for target in outside)


@modules
def test_the_command_line_imports_siblings_relatively_and_kbert_absolutely(name):
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom) and name.startswith("kbert.cli."):
            assert node.level == 1 or not (node.module or "").startswith("kbert.cli")
            assert node.level <= 1


HEAVY = {"tensorflow", "keras", "sklearn", "torch", "jax"}


@pytest.mark.parametrize(
    "code",
    [
        "import kbert",
        "import kbert.cli.main",
        "import kbert, kbert.parameters, kbert.config; dir(kbert); kbert.BertConfig",
        "import sys; sys.argv = ['kbert', '--help']; "
        "from kbert.cli.main import main; main(standalone_mode=False)",
    ],
)
def test_importing_loads_nothing_heavy(code):
    code += f"\nimport sys; sys.exit(repr({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stderr == "set()\n"


# === Size and shape ===


@modules
def test_a_module_stops_before_400_lines(name):
    assert len(FILES[name].read_text("utf-8").splitlines()) < 400


@modules
def test_a_module_opens_with_what_it_does(name):
    assert ast.get_docstring(TREES[name])


@modules
def test_a_function_stops_before_60_lines_besides_its_docstring(name):
    for function in functions(TREES[name]):
        lines = function.end_lineno - function.lineno + 1
        first = function.body[0]
        if ast.get_docstring(function):
            lines -= first.end_lineno - first.lineno + 1

        assert lines < 60, function.name


# Keras takes the options of a layer or an optimizer; fields of a config, and the
# options of a command, are forwarded whole.
KEYWORDS = {
    "kbert.layers.attention": {"layer_options"},
    "kbert.layers.basic": {"layer_options"},
    "kbert.layers.embeddings": {"layer_options"},
    "kbert.layers.encoder_layer": {"layer_options"},
    "kbert.crf": {"layer_options"},
    "kbert.heads": {"layer_options"},
    "kbert.config": {"changes"},
    "kbert.cli.create_pretraining_data": {"options"},
    "kbert.cli.evaluate": {"options"},
    "kbert.cli.extract_features": {"options"},
    "kbert.cli.finetune": {"options"},
    "kbert.cli.predict": {"options"},
    "kbert.cli.pretrain": {"options"},
    "kbert.optimizers.lamb": {"options"},
}


@modules
def test_arguments_have_names(name):
    found = {one.args.kwarg.arg for one in functions(TREES[name]) if one.args.kwarg}

    assert found <= KEYWORDS.get(name, set())


# === Names ===

FOREIGN = re.compile(
    r"token_type|LayerNorm[./]|attention[./]self|hidden_act\b|num_hidden_layers"
    r"|intermediate_size|vocab_size|max_position_embeddings|cls/predictions"
)
# Arguments of a library's function have that library's names.
FOREIGN_ARGUMENTS = {"kbert.vocabulary_training.learning": ["vocab_size"]}


@modules
def test_foreign_names_are_translated_in_checkpoints_and_nowhere_else(name):
    if rank_name(name) != "checkpoints":
        found = FOREIGN.findall(FILES[name].read_text("utf-8"))

        assert found == FOREIGN_ARGUMENTS.get(name, [])


def test_the_table_of_public_names_is_true():
    assert kbert.__all__ == sorted(kbert._HOME)
    for public, home in kbert._HOME.items():
        module = importlib.import_module(f"kbert.{home}")

        assert getattr(kbert, public) is getattr(module, public)
        assert getattr(kbert, public).__doc__


def test_type_checkers_see_the_same_public_names():
    (block,) = (
        node for node in TREES["kbert.__init__"].body if isinstance(node, ast.If)
    )
    seen = {alias.asname: node.module for node in block.body for alias in node.names}

    assert seen == kbert._HOME


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'kbert' has no attribute 'nonsense'"):
        kbert.nonsense  # noqa: B018


# === Files ===

# Bytes reach the disk through kbert/io.py. The exceptions write to a temporary name
# that io gave or renames (a shard is streamed), or to /dev/null.
WRITERS = {
    "kbert.io": {"open"},
    "kbert.store.shard": {"open"},
    "kbert.store.formats": {"open", "archive.open", "zipfile.ZipFile", "h5py.File"},
    "kbert.tokenizer.unicode_generator": {"np.savez_compressed"},
    "kbert.cli.quiet": {"open"},
}
WRITING = re.compile(r"\bnp\.save|\.tofile$|\.write_(text|bytes)$|\.to_(csv|json)$")


def writes(function, call):
    if WRITING.search(function):
        return not function.startswith("io.")
    opens = function.split(".")[-1] in ("open", "ZipFile", "File")
    if not opens or function == "os.open":
        return False
    arguments = [*call.args, *(one.value for one in call.keywords if one.arg == "mode")]
    return any(
        isinstance(one, ast.Constant)
        and re.fullmatch(r"[rwaxbt+]*[wax+][bt+]*", one.value)
        for one in arguments
        if isinstance(getattr(one, "value", None), str)
    )


@modules
def test_files_are_written_by_io_alone(name):
    found = {
        function for function, call in calls(TREES[name]) if writes(function, call)
    }

    assert found == WRITERS.get(name, set())


def test_the_search_for_writers_finds_them():
    lines = {
        "open(p, 'wb')": True,
        "open(p, mode='a')": True,
        "p.open('w')": True,
        "p.write_text('a')": True,
        "np.save(p, a)": True,
        "a.tofile(p)": True,
        "open(p)": False,
        "open(p, 'rb')": False,
        "io.write_text(p, 'a')": False,
    }
    for line, expected in lines.items():
        ((function, call),) = calls(ast.parse(line))

        assert bool(writes(function, call)) is expected, line


CODE_RUNNERS = {"pickle", "joblib", "dill", "cloudpickle", "marshal", "shelve"}


@modules
def test_nothing_that_a_file_holds_is_run(name):
    tree = TREES[name]
    packages = {target.split(".")[0] for target, _ in imported(name, tree)}

    assert not packages & CODE_RUNNERS
    for function, call in calls(tree):
        assert function not in ("eval", "exec", "compile")
        assert function.split(".")[-1] not in ("load_model", "load_weights")
        for keyword in call.keywords:
            if keyword.arg in ("allow_pickle", "shell"):
                assert ast.unparse(keyword.value) == "False"


# === Packaging and commands ===


@pytest.fixture(scope="module")
def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_setup_cfg_lists_the_packages_that_exist(setup):
    listed = setup["options"]["packages"].split()
    found = {module.removesuffix(".__init__") for module in FILES if is_package(module)}

    assert sorted(listed) == sorted(found)


def test_setup_cfg_lists_the_data_files_that_exist(setup):
    listed = {
        path.relative_to(ROOT)
        for package, names in setup["options.package_data"].items()
        for name in names.replace(",", " ").split()
        for path in (ROOT / package.replace(".", "/")).glob(name)
    }
    found = {
        path.relative_to(ROOT)
        for path in (ROOT / "kbert").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }

    assert listed == found


def commands(group, name):
    """(name, command) of all that a group has, groups within it included."""
    for own, command in sorted(group.commands.items()):
        yield f"{name} {own}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {own}")


COMMANDS = dict(commands(main, "kbert"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples_that_call_it(name):
    command = COMMANDS[name]
    help_text = command.get_help(click.Context(command, info_name=name))
    _, _, examples = help_text.partition("Examples:\n")

    assert name in examples
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
