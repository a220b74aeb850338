from __future__ import annotations

import textwrap

import pytest

from ingest.pages import links
from ingest.types import BlockKind, Severity
from tests.ingest.reading import body, document, faults, outline, page


def test_text_stays_the_lines_of_the_source() -> None:
    source = "# T\n\nUse *this*  \nand `that`.\n\n* one\n* two\n\n| A | B |\n|---|:-:|\n| 1 | 2 |\n"
    assert body(document(source)) == source.removeprefix("# T\n\n").rstrip("\n")


@pytest.mark.parametrize(
    ("heading", "text", "anchor"),
    [
        ("## Set up `kong.conf`", "Set up kong.conf", "set-up-kongconf"),
        ("## Hello, *World* & [link](x.md)!", "Hello, World & link!", "hello-world--link"),
        ("## Custom {#my-id}", "Custom", "my-id"),
        ("## Custom {: #my-id .big}", "Custom", "my-id"),
        ("## Custom\n{: #kramdown}", "Custom", "kramdown"),
        ('## <a name="old"></a>Named', "Named", "old"),
        ('<a id="above"></a>\n## Named', "Named", "above"),
        ('<h2 id="html">As HTML</h2>', "As HTML", "html"),
        ("## snake_case_name", "snake_case_name", "snake_case_name"),
        ("## Größe ändern", "Größe ändern", "größe-ändern"),
        ("Underlined\n---", "Underlined", "underlined"),
        ("## `{{ site.x }}` kept", "{{ site.x }} kept", "-sitex--kept"),
    ],
)
def test_headings_give_plain_text_and_the_anchor_that_renderers_give(
    heading: str, text: str, anchor: str
) -> None:
    assert outline(document(f"{heading}\n\ntext\n")) == [(2, text, anchor)]


def test_repeated_headings_are_numbered_as_github_does() -> None:
    doc = document("# Q\n\n## Q\n\nx\n\n## Q-1\n\nx\n\n## Q\n\nx\n")
    assert [anchor for _, _, anchor in outline(doc)] == ["q", "q-1", "q-1-1", "q-2"]


def test_what_templating_adds_goes_and_code_is_never_touched() -> None:
    source = textwrap.dedent("""\
        {% include head.html %}
        {% comment %}
        not shown
        {% endcomment %}
        <!-- a note
        over lines -->
        Text {{ name }} stays.
        {:.lead}

        <Tabs items={["a", "b"]}>
        <Tab title="Linux">

        apt

        </Tab>
        </Tabs>

        :::warning Mind this
        Hot.
        :::

        ```html
        {% raw %}
        <Tabs>
        <!-- kept -->
        ```

        {% highlight bash %}
        ls <Tab>
        {% endhighlight %}
        """)
    expected = textwrap.dedent("""\
        Text {{ name }} stays.

        **Linux**

        apt

        **Mind this**

        Hot.

        ```html
        {% raw %}
        <Tabs>
        <!-- kept -->
        ```

        ```bash
        ls <Tab>
        ```""")
    assert body(document(source)) == expected


def test_indented_markup_is_code_unless_it_stands_in_a_wrapper() -> None:
    code = "Like this:\n\n    <feedback>\n      <org>x</org>\n    </feedback>"
    assert body(document(code)) == code
    wrapped = "<Steps>\n    <Step>\n\nDo it.\n\n    </Step>\n</Steps>\n"
    assert body(document(wrapped)) == "Do it."


def test_html_tables_and_lists_become_markdown() -> None:
    source = (
        "Before\n\n<table>\n<tr><th>A</th><th>B</th></tr>\n\n"
        "<tr><td>1</td><td>x|y</td></tr>\n</table>\nAfter\n"
    )
    doc = document(source)
    assert [block.kind for block in doc.blocks] == ["paragraph", "table", "paragraph"]
    assert doc.blocks[1].text == "| A | B |\n| --- | --- |\n| 1 | x\\|y |"
    assert [block.line for block in doc.blocks] == [1, 3, 8]


def test_mdx_loses_imports_and_reads_indented_components() -> None:
    source = (
        "import { Tabs } from '@site/tabs'\nexport const x = {\n  y: 1,\n}\n\n# Title\n\n"
        '{/* hidden\n*/}\n<Cards>\n    <Card title="Go" href="/go" />\n\n'
        "    Indented prose.\n</Cards>\n"
    )
    doc = document(source, "guide.mdx")
    assert body(doc) == "[Go](/go)\n\n    Indented prose."
    assert doc.blocks[-1].kind is BlockKind.PARAGRAPH


def test_link_definitions_are_not_lost() -> None:
    assert "[x]: https://x.example" in body(document("See [x].\n\n[x]: https://x.example\n"))


def test_a_break_below_prose_is_no_underline() -> None:
    doc = document("rows:\n  - a: 1\n    b: 2\nlast\n---\n\nmore\n")
    assert outline(doc) == []
    assert "last" in body(doc)


@pytest.mark.parametrize(
    ("source", "line", "part"),
    [
        (b"---\ntitle: x\naudience: [a\n---\ntext\n", 3, "YAML"),
        (b"---\ntitle: x\ntitle: y\n---\ntext\n", 3, "duplicate key"),
        (b"---\ntitle: x\ntext\n", 1, "never closed"),
        (b"---\n- a\n- b\n---\ntext\n", 2, "key: value"),
        (b"---\nupdated: 2026-13-45\n---\ntext\n", 2, "impossible date"),
        (b"+++\ntitle = \n+++\ntext\n", 2, "TOML"),
        (b"---\naudience: {a: b}\n---\ntext\n", 2, "audience"),
        (b'---\nplan: ""\n---\ntext\n', 2, "plan"),
        (b"fine\n\nbad \xff byte\n", 3, "0xff"),
        (b"fine\n\x00\n", 2, "binary"),
        (b"  \n \n", 1, "empty"),
        (b"# Only a heading\n", 1, "no text"),
    ],
)
def test_a_broken_page_is_told_with_its_line(source: bytes, line: int, part: str) -> None:
    (error,) = faults(source)
    assert error.severity is Severity.ERROR
    assert part in error.message
    assert error.hint
    assert error.line == line


def test_an_open_fence_is_a_warning_and_the_page_is_read() -> None:
    source = "---\ntitle: x\n---\n\nText\n\n```bash\nls\n"
    (error,) = faults(source)
    assert (error.line, error.severity) == (7, Severity.WARNING)
    assert page(source).blocks[-1].text == "```bash\nls"


def test_lines_count_from_the_top_of_the_file() -> None:
    doc = document("---\ntitle: x\n---\n\n# T\n\nText\n")
    assert [block.line for block in doc.blocks] == [5, 7]


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_other_line_ends_and_byte_order_marks(newline: str) -> None:
    text = f"---{newline}title: Hi{newline}---{newline}# T{newline}{newline}Text{newline}"
    doc = document(b"\xef\xbb\xbf" + text.encode())
    assert (doc.meta["title"], body(doc)) == ("Hi", "Text")
    assert body(document(text.encode("utf-16"))) == "Text"


@pytest.mark.parametrize(
    "hostile",
    [
        "<" * 50_000,
        "<a " * 20_000,
        "[" * 20_000 + "](",
        "[a](" * 10_000,
        "> " * 5_000 + "x",
        "- " * 5_000 + "x",
        "*" * 50_000,
        "# " + "`" * 20_000 + "x",
        "# " + "*a" * 20_000,
        "<table>" * 5_000,
        "{%" * 20_000,
        "|" * 20_000 + "\n|-|\n",
    ],
    ids=lambda text: text[:6],
)
def test_hostile_pages_end_quickly(hostile: str) -> None:
    """Quadratic behaviour would take minutes here; the suite has no such patience."""
    links(page(f"text\n\n{hostile}\n"))
