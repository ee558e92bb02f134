"""Citations name the page of their sentence, even if pages are nearly empty."""

from pathlib import Path

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from tests.support.service import Service

pytestmark = pytest.mark.server
PAGES = {
    "en": [
        "Travel costs are paid back within ten working days.",
        "The company seal is kept by the finance department.",
        "Printers are refilled every Thursday by the front desk.",
    ],
    "zh": ["差旅费在十个工作日内报销。", "公章由财务部保管。", "打印机每周四由前台加墨。"],
}
QUESTIONS = {
    "en": [
        "When are travel costs paid back?",
        "Who keeps the company seal?",
        "Who refills the printers?",
    ],
    "zh": ["差旅费多久报销？", "公章由谁保管？", "打印机由谁加墨？"],
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_sentence_is_cited_with_its_page(
    service: Service, tmp_path: Path, language: str
) -> None:
    file = tmp_path / f"{language}.pdf"
    font = "Helvetica" if language == "en" else "STSong-Light"
    if language == "zh":
        pdfmetrics.registerFont(UnicodeCIDFont(font))
    canvas = Canvas(str(file), pagesize=A4)
    for text in PAGES[language]:
        canvas.setFont(font, 12)
        canvas.drawString(72, 720, text)
        canvas.showPage()
    canvas.save()
    base = service.add_documents(language, file)
    for page, question in enumerate(QUESTIONS[language], 1):
        body = {
            "question": question,
            "llm_config": {"supplier": "builtin"},
            "knowledge_config": {"knowledge_base_id": base},
        }
        answer = service.post("/chat", body).json
        sentence = PAGES[language][page - 1]
        assert sentence in answer["answer"]
        [source] = [
            source
            for source in answer["sources"]
            if f"{sentence}[{source['n']}]" in answer["answer"].replace(" [", "[")
        ]
        assert source["page"] == page, answer
        assert source["quote"] == sentence
