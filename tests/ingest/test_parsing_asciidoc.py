from __future__ import annotations

import textwrap

import pytest

from tests.ingest.reading import body, document, faults, outline, page

PAGE = """\
= Install the agent
Jane Doe <jane@example.com>
v1.2, 2026-03-04
:audience: staff
:updated: 2026-03-04
:product: Harbor

Use {product} with *bold*, _it_, `co*d*e`, link:https://x.example/a_b_c[the *site*],
<<limits,Limits>> and xref:guide.adoc#steps[steps]. {unknown}

NOTE: Only admins.

[[limits]]
== Limits and caps

.Caps by plan
[%header,cols="1,2"]
|===
|Plan |Seats

|Free
|3 seats
or more

|Pro |a\\|b
|===

[source,bash]
----
apt install x <1>
# no heading
----
<1> Installs it

[WARNING]
====
Never.

* a
* b
====

. First
. Second
+
[source,sh]
----
run
----
+
More text.
.. Nested
. Third

////
hidden
////

include::../../etc/passwd[]

== Limits and caps

ifdef::env-github[]
hidden
endif::[]
ifndef::env-github[]
shown
endif::[]
// comment

Term:: Definition
"""


def test_a_page_becomes_markdown() -> None:
    doc = document(PAGE, "a.adoc")
    assert outline(doc) == [
        (1, "Install the agent", "install-the-agent"),
        (2, "Limits and caps", "limits"),
        (2, "Limits and caps", "_limits_and_caps"),
    ]
    assert body(doc) == textwrap.dedent("""\
        Use Harbor with **bold**, *it*, `co*d*e`, [the **site**](https://x.example/a_b_c),
        [Limits](#limits) and [steps](guide.adoc#steps). {unknown}

        > **Note:** Only admins.

        **Caps by plan**

        | Plan | Seats |
        | --- | --- |
        | Free | 3 seats or more |
        | Pro | a\\|b |

        ```bash
        apt install x
        # no heading
        ```

        1. Installs it

        > **Warning:** Never.
        >
        > - a
        > - b

        1. First
        2. Second

           ```sh
           run
           ```

           More text.
           1. Nested
        3. Third

        shown

        - **Term**: Definition""")


def test_labels_come_from_header_attributes() -> None:
    read = page(PAGE, "a.adoc")
    assert (read.title, read.labels.audience) == ("Install the agent", ("staff",))
    assert read.doc_version == "2026-03-04"


def test_lines_are_those_of_the_source() -> None:
    doc = document(PAGE, "a.adoc")
    source = PAGE.split("\n")
    table = next(block for block in doc.blocks if block.text.startswith("| Plan"))
    assert source[table.line - 1] == "|==="


def test_includes_are_refused_with_their_line() -> None:
    (note,) = faults(PAGE, "a.adoc")
    assert "include" in note.message
    assert note.line == PAGE.split("\n").index("include::../../etc/passwd[]") + 1


def test_section_ids_follow_the_attributes_of_asciidoctor() -> None:
    source = ":idprefix:\n:idseparator: -\n\n== Set up\n\nx\n\n== Set up\n\ny\n"
    assert [a for _, _, a in outline(document(source, "a.adoc"))] == ["set-up", "set-up-2"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (',===\na,b\nc,"d,e"\n,===', "|  |  |\n| --- | --- |\n| a | b |\n| c | d,e |"),
        ("|===\n|a |b\n\n2+|wide\n|===", "| a | b |\n| --- | --- |\n| wide |  |"),
        ('[cols="3*"]\n|===\n|a\n|b\n|c\n|===', "|  |  |  |\n| --- | --- | --- |\n| a | b | c |"),
        ("* a\n** b\n*** c\n* d", "- a\n  - b\n    - c\n- d"),
        ("* a\n. b\n. c\n* d", "- a\n  1. b\n  2. c\n- d"),
        ("* a\n\n* b", "- a\n- b"),
        ("menu:File[Save] and kbd:[Ctrl]", "**File → Save** and **Ctrl**"),
        ("a +\nb", "a\nb"),
        ("[quote]\n____\nTo be\n____", "> To be"),
        ("****\nSide\n****", "> Side"),
        ("....\n<raw>\n....", "```\n<raw>\n```"),
        ("1 * 2 * 3 and a_b_c", "1 * 2 * 3 and a_b_c"),
        ("# no heading in text".replace("#", "\\#"), "\\# no heading in text"),
    ],
)
def test_constructs(source: str, expected: str) -> None:
    assert body(document(f"Start\n\n{source}\n", "a.adoc")) == f"Start\n\n{expected}"


def test_a_block_left_open_is_told() -> None:
    (note,) = faults("Text\n\n----\ncode\n", "a.adoc")
    assert (note.line, "never closed" in note.message) == (3, True)


@pytest.mark.parametrize(
    "hostile",
    [
        "*" * 20_000,
        "{a}" * 10_000,
        "[" * 20_000,
        "|===\n" + "|" * 20_000,
        "====\n" * 500,
        ":a: {a}{a}\n" * 200 + "{a}",
        "`" * 20_000,
        "<<" * 10_000,
        "link:" * 10_000,
        "+" * 20_000,
    ],
    ids=lambda text: text[:6],
)
def test_hostile_pages_end_quickly(hostile: str) -> None:
    """Quadratic behaviour would take minutes here; the suite has no such patience."""
    document(f"Text\n\n{hostile}\n", "a.adoc")
