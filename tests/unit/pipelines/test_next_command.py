"""The commands proposed after a pipeline go on with the data, configuration and stack that were typed."""

import shlex
from pathlib import Path

import pytest

import run
from pipelines.next_command import Following, Typed, command_of

PROJECT = Path("/srv/luật/project")
TRAINING = Following("training")
EVALUATION = Following("evaluation", asks=("evaluation.questions=FILE",))
SHOW = Following("promotion", ("promotion.show=true",))


def typed(*overrides: str, here: Path = PROJECT, config: str = "", stack: str = "") -> Typed:
    return Typed(here, PROJECT, config, stack, overrides)


def test_nothing_typed_gives_the_bare_command():
    assert command_of(TRAINING, typed()) == "python run.py --pipeline training"
    assert command_of(EVALUATION, typed()) == "python run.py --pipeline evaluation --set evaluation.questions=FILE"


def test_configuration_stack_and_settings_are_kept():
    given = typed("data.corpus=a.csv", "seed=7", config="configs/soict2024.yaml", stack="s3")
    assert command_of(TRAINING, given) == (
        "python run.py --pipeline training --config configs/soict2024.yaml --stack s3"
        " --set data.corpus=a.csv --set seed=7"
    )


@pytest.mark.parametrize(
    "item",
    [
        "data.corpus=luật lao động.csv",
        'name=it\'s "this"',
        "data.laws=[1, 2]",
        "name=$HOME;`id`",
        "data.corpus=~/x",
    ],
)
def test_what_a_shell_would_change_is_quoted(item):
    words = shlex.split(command_of(TRAINING, typed(item, config="cấu hình/my file.yaml", stack="two words")))
    assert words == [
        "python", "run.py", "--pipeline", "training", "--config", "cấu hình/my file.yaml", "--stack", "two words",
        "--set", item,
    ]  # fmt: skip


def test_what_another_pipeline_alone_reads_is_left_out():
    own = ("promotion.version=3", "promotion.rollback=true", "evaluation.questions=q.csv")
    given = typed(*own, "evaluation.cutoffs=1,10", "gates.max_p_value=0.1")
    assert command_of(SHOW, given) == (
        "python run.py --pipeline promotion --set promotion.version=3 --set evaluation.cutoffs=1,10"
        " --set gates.max_p_value=0.1 --set promotion.show=true"
    )
    assert "promotion" not in command_of(TRAINING, given)
    assert "questions" not in command_of(TRAINING, given)


def test_the_last_of_a_key_typed_twice_counts_and_a_commands_own_key_goes_first():
    assert command_of(TRAINING, typed("seed=1", "seed=2")).endswith("--pipeline training --set seed=2")
    assert command_of(SHOW, typed("promotion.show=false")).endswith("--pipeline promotion --set promotion.show=true")


def test_a_question_file_that_was_typed_is_not_asked_for():
    command = command_of(EVALUATION, typed("evaluation.questions=mine.csv"))
    assert command == "python run.py --pipeline evaluation --set evaluation.questions=mine.csv"


def test_a_command_typed_elsewhere_works_from_there():
    below, far = typed("data.corpus=a.csv", here=PROJECT / "data"), typed("data.corpus=a.csv", here=Path("/a/b/c/d"))
    assert shlex.split(command_of(TRAINING, below))[:2] == ["python", "../run.py"]
    assert shlex.split(command_of(TRAINING, far))[:2] == ["python", str(PROJECT / "run.py")]
    assert command_of("make dashboard", below) == "(cd .. && make dashboard)"
    assert command_of("make dashboard", typed()) == "make dashboard"


def test_the_parser_takes_back_what_is_proposed():
    items = ["data.corpus=luật lao động.csv", "data.laws=45/2019/QH14,91/2015/QH13"]
    words = shlex.split(command_of(TRAINING, typed(*items, config="a b.yaml", stack="s3")))
    back = run._parser().parse_args(words[2:])
    assert (back.pipeline, str(back.config), back.stack, back.set) == ("training", "a b.yaml", "s3", items)
