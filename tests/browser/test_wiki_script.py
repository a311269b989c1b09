"""What becomes of script that somebody writes into a page or uploads: it does not run, or has no origin to run in."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import MadeWiki, write_page
from tests.harness import Robot

pytestmark = pytest.mark.browser

RUN = "window.ran=1"
CORPUS = {
    "script element": "<script>@</script>",
    "script from data": '<script src="data:text/javascript,@"></script>',
    "error of an image": '<img src="/nothing.png" onerror="@">',
    "svg": '<svg onload="@"><script>@</script></svg>',
    "svg animation": '<svg><animate onbegin="@" attributeName="x" dur="1s"/></svg>',
    "details": '<details open ontoggle="@"><summary>x</summary></details>',
    "autofocus": '<input autofocus onfocus="@">',
    "iframe srcdoc": '<iframe srcdoc="<script>parent.@</script>"></iframe>',
    "iframe javascript": '<iframe src="javascript:parent.@"></iframe>',
    "math": '<math><mtext><img src="/nothing.png" onerror="@"></mtext></math>',
    "object": '<object data="data:text/html,<script>parent.@</script>"></object>',
    "style": '<style onload="@">x{}</style>',
    "meta refresh": '<meta http-equiv="refresh" content="0; url=javascript:@">',
    "base": '<base href="javascript:@//">',
    "broken tag": '<img """><script>@</script>">',
    "heading": '# <img src="/nothing.png" onerror="@">',
    "link text": '[<img src="/nothing.png" onerror="@">](/Home)',
    "wiki link": '[[<img src="/nothing.png" onerror="@">]]',
    "image alt": '![x" onerror="@](/nothing.png)',
    "mermaid": '```mermaid\ngraph TD\nA["<img src=/nothing.png onerror=@>"] --> B\nclick B href "javascript:@"\n```',
    "code language": '```"><img src=/nothing.png onerror="@">\nx\n```',
    "table": '| <img src="/nothing.png" onerror="@"> |\n|---|\n| x |',
    "footnote": 'x[^1]\n\n[^1]: <img src="/nothing.png" onerror="@">',
    "spoiler": '>! <img src="/nothing.png" onerror="@">',
    "frontmatter": '---\ntitle: "<img src=/nothing.png onerror=@>"\n---\nx',
}
LINKS = ("[click](javascript:@)", "[click](JaVaScRiPt:@)", '<a href="java&#10;script:@">click</a>', "<javascript:@>")


def test_nothing_in_a_page_runs(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki("unlisted")
    ran: list[str] = []
    for number, (kind, text) in enumerate(CORPUS.items()):
        name = f"Trap {number}"
        write_page(robot, wiki, name, text.replace("@", RUN) + "\n\nThe end.\n")
        keeper.goto(f"{wiki.origin}/{quote(name)}")
        expect(keeper.locator(".page")).to_contain_text("The end.")
        keeper.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        if keeper.evaluate("window.ran"):
            ran.append(kind)
    assert not ran


@pytest.mark.parametrize("kind", ["script element", "error of an image", "svg", "details"])
def test_the_same_text_runs_where_nothing_is_taken_out(stranger: Page, kind: str) -> None:
    """What the test above looks for would be seen."""
    stranger.set_content(CORPUS[kind].replace("@", RUN).replace("/nothing.png", "data:,"))
    stranger.wait_for_function("window.ran === 1")


def test_no_link_in_a_page_runs(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki("unlisted")
    for number, text in enumerate(LINKS):
        name = f"Link {number}"
        write_page(robot, wiki, name, text.replace("@", RUN) + "\n")
        keeper.goto(f"{wiki.origin}/{quote(name)}")
        for link in keeper.locator(".page a:not(.anchor)").all():
            href = (link.get_attribute("href") or "").replace("\n", "").lower()
            assert not href.startswith("javascript:"), text


def test_names_of_pages_and_commits_are_text(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki("unlisted")
    name = "<img src=x onerror=ran=1>"
    with robot.agent(wiki.token, wiki.origin) as agent:
        body = {"content": "Text.", "commit_message": "<img src=x onerror=window.ran=1><script>window.ran=1</script>"}
        assert agent.put(f"/api/v1/pages/{quote(name)}", json=body).status_code == 201
    for path in (f"/{quote(name)}", f"/{quote(name)}/history", f"/{quote(name)}/blame", "/-/changelog", "/-/index"):
        answer = keeper.goto(wiki.origin + path)
        assert answer is not None
        assert answer.status == 200, path
        assert keeper.evaluate("window.ran") is None, path
    keeper.goto(f"{robot.platform}/app/")
    assert keeper.evaluate("window.ran") is None


@pytest.mark.parametrize(
    ("file_name", "kind", "content"),
    [
        ("evil.html", "text/html", "<!doctype html><script>document.title = 'ran ' + window.origin</script>"),
        (
            "evil.svg",
            "image/svg+xml",
            '<svg xmlns="http://www.w3.org/2000/svg"><title>x</title>'
            "<script>document.querySelector('title').textContent = 'ran ' + window.origin</script></svg>",
        ),
        (
            "evil.xhtml",
            "application/xhtml+xml",
            '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>'
            "<script>document.title = 'ran ' + window.origin</script></body></html>",
        ),
    ],
)
def test_an_uploaded_document_has_no_origin(
    robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki], file_name: str, kind: str, content: str
) -> None:
    wiki = make_wiki("unlisted")
    keeper.goto(f"{wiki.origin}/auth/start?next=/Home/attachments")
    keeper.locator("input[type=file]").first.set_input_files(
        FilePayload(name=file_name, mimeType=kind, buffer=content.encode())
    )
    keeper.locator("form:has(input[type=file]) [type=submit]").first.click()
    expect(keeper.get_by_role("link", name=file_name).first).to_be_visible()
    address = f"{wiki.origin}/Home/a/{file_name}"
    with keeper.expect_response(address) as answer:
        keeper.evaluate("address => fetch(address).then(answer => answer.text())", address)
    headers = answer.value.headers
    assert headers.get("x-content-type-options") == "nosniff"
    assert answer.value.status == 200
    is_confined = "sandbox" in headers.get("content-security-policy", "") or headers.get(
        "content-disposition", ""
    ).startswith("attachment")
    assert is_confined, headers
