from __future__ import annotations

import textwrap

from tests.ingest.reading import body, document, outline, page

PAGE = """\
<!doctype html><html><head><title>Invite | Harbor</title>
<meta name="audience" content="staff, admin"><meta name="embark:updated" content="2026-02-03">
<style>p {}</style></head><body>
<nav>Home</nav><header>Logo</header><div class="sidebar">Contents</div>
<main><header><h1 id="invite">Invite people<a class="headerlink" href="#invite">¶</a></h1></header>
<p>Use <b>Invite</b> &amp; <code>a|b</code>, see <a href="../roles.html#owner">roles</a>.<br>Then
  &lt;div&gt; and 3 &lt; 4.</p>
<section id="limits"><h2>Limits</h2>
<table><thead><tr><th>Plan<th>Seats</thead><tr><td>Free<td>3 | 4
<tr><td colspan=2>Both<br>plans</table>
<ol start="3"><li><p>First</p><pre><code class="language-bash">apt
  x `y`</code></pre></li><li>Second<ul><li>n1</li><li>n2</li></ul></li></ol></section>
<aside class="note"><p>Careful.</p></aside><aside>Related</aside>
<blockquote><p>q1</p><p>q2</p></blockquote>
<p># not a heading</p><p>1. not a list</p>
<a name="old"></a><p>Old place</p>
<script>alert(1)</script><a href="javascript:alert(1)">click</a>
</main><footer>2026</footer></body></html>
"""


def test_content_becomes_markdown_and_boilerplate_goes() -> None:
    doc = document(PAGE, "a.html")
    assert outline(doc) == [(1, "Invite people", "invite"), (2, "Limits", "limits")]
    assert body(doc) == textwrap.dedent("""\
        Use **Invite** & `a|b`, see [roles](../roles.html#owner).
        Then \\<div> and 3 < 4.

        | Plan | Seats |
        | --- | --- |
        | Free | 3 \\| 4 |
        | Both<br>plans |  |

        3. First

           ```bash
           apt
             x `y`
           ```
        4. Second
           - n1
           - n2

        Careful.

        > q1
        >
        > q2

        \\# not a heading

        1\\. not a list

        Old place

        click""")


def test_labels_title_and_anchors() -> None:
    read = page(PAGE, "guides/a.html")
    assert read.title == "Invite people"
    assert read.labels.audience == ("staff", "admin")
    assert read.doc_version == "2026-02-03"
    assert read.anchors == {"invite", "limits", "old"}


def test_the_title_element_is_the_last_resort() -> None:
    assert page("<title>A &amp; B</title><p>x</p>", "a.html").title == "A & B"
    assert page("<p>x</p>", "guides/set-up_sso.html").title == "Set up sso"


def test_declared_encodings_are_honoured() -> None:
    source = '<meta charset="iso-8859-1"><p>Größe</p>'.encode("latin-1")
    assert body(document(source, "a.html")) == "Größe"


def test_deep_nesting_ends_as_plain_text() -> None:
    deep = "<div>" * 20_000 + "deep" + "</div>" * 20_000
    assert "deep" in body(document(f"<p>top</p>{deep}", "a.html"))
    marks = "<b>" * 5_000 + "deep"
    assert "deep" in body(document(f"<p>{marks}</p>", "a.html"))
