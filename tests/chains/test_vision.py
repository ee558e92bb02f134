"""Which models see pictures, as far as their names and their suppliers' refusals tell."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.models import PRESETS, Models
from chatapp.chains.pieces import pieces
from chatapp.chains.upstream_errors import UpstreamRefused
from chatapp.chains.vision import sees_by_name
from chatapp.core.pictures import Picture
from chatapp.core.prompt import LEFT_OUT_PICTURES, Prompt, Turn
from chatapp.settings import Settings
from tests.support.images import square
from tests.support.modelpictures import REFUSALS, pictures
from tests.support.modelserver import ModelServer
from tests.support.supplier import Outcome


@pytest.mark.parametrize(
    ("sees", "names"),
    [
        (
            True,
            "gpt-4o gpt-4o-mini gpt-4.1-mini gpt-5.4-mini gpt-5.5 o3 o4-mini claude-3-5-haiku "
            "claude-sonnet-4-5 gemini-2.5-flash gemma3:12b google/gemma-3-4b-it qwen-vl-max "
            "Qwen/Qwen2.5-VL-7B-Instruct qwen3-vl:8b kimi-k2.6 moonshot-v1-32k-vision-preview "
            "glm-4v-plus glm-4.5v llava:7b llama3.2-vision minicpm-v:8b pixtral-12b InternVL3-8B",
        ),
        (
            False,
            "gpt-3.5-turbo gpt-4 gpt-4-0613 o1-mini o3-mini gpt-oss:20b deepseek-chat "
            "deepseek-reasoner deepseek-v4-flash deepseek-ai/DeepSeek-V3.2 Qwen/Qwen3-32B "
            "qwen2.5-coder:7b kimi-k2-turbo-preview moonshot-v1-128k glm-4.6 llama3:8b llama3.1 "
            "llama-3.3-70b mixtral-8x7b codestral-latest",
        ),
        (None, "qwen-plus qwen-max glm-5.2 my-model echo openrouter/auto mistral-medium"),
    ],
)
def test_a_name_tells_where_it_leaves_no_doubt(sees: bool | None, names: str) -> None:
    assert {name: sees_by_name(name) for name in names.split()} == dict.fromkeys(
        names.split(), sees
    )


def test_every_preset_has_an_answer_for_its_models() -> None:
    for preset in PRESETS:
        for model in preset.models:
            assert sees_by_name(model) in (True, False, None)


@pytest.fixture
def models(settings: Settings) -> Iterator[Models]:
    made = Models(settings)
    yield made
    made.close()


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    (tmp_path / "picture").write_bytes(square())
    return Picture(str(tmp_path / "picture"), "image/png", 40, 30)


def ask(models: Models, server: ModelServer, name: str, *turns: Turn) -> Outcome:
    endpoint = Endpoint("one", "One", server.base_url, "sk-test")
    model = models.model(endpoint, Parameters(name))
    return Outcome(pieces(model.stream_text(Prompt(turns[-1].content, list(turns)))))


@pytest.mark.parametrize("supplier", REFUSALS)
def test_a_refusal_of_pictures_is_named_and_remembered(
    models: Models, model_server: ModelServer, picture: Picture, supplier: str
) -> None:
    name = f"blind-{supplier}-own"
    assert models.sees(model_server.base_url, {}, name) is None
    refused = ask(models, model_server, name, Turn("user", "What?", (picture,))).error
    assert isinstance(refused, UpstreamRefused) and refused.detail == "pictures"
    assert refused.params == {"supplier": "One", "model": name}
    assert models.sees(model_server.base_url, {}, name) is False
    stated = {"vision": {name: True}}
    assert models.sees(model_server.base_url, stated, name) is True, "the option decides"


def test_pictures_of_earlier_questions_are_left_out_where_they_are_refused(
    models: Models, model_server: ModelServer, picture: Picture
) -> None:
    turns = [Turn("user", "What?", (picture,)), Turn("assistant", "A cat."), Turn("user", "Why?")]
    assert ask(models, model_server, "blind-deepseek-earlier", *turns).text == "Why?"
    refused, accepted = model_server.asked()[-2:]
    assert sum(map(len, pictures(refused))) == 1
    assert accepted.body["messages"][0]["content"] == f"What?\n\n{LEFT_OUT_PICTURES}"
