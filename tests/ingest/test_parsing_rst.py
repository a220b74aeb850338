from __future__ import annotations

import sys
import textwrap

from tests.ingest.reading import body, document, faults, outline, page

PAGE = """\
:audience: staff, admin
:updated: 2026-01-02

.. _top:

=============
Invite people
=============

Use :ref:`the roles page <roles>`, :guilabel:`Save --> Now`, :py:class:`~app.Role`, ``a|b``
and `this <https://x.example/a>`_.

.. toctree::
   :maxdepth: 2

   a

.. note:: Only admins.

.. tabs::

   .. tab:: Linux

      .. code-block:: bash

         apt install x
         # no heading

.. versionadded:: 2.1
   Bulk invites.

.. include:: /etc/hostname

.. raw:: html

   <script>alert(1)</script>

Limits
======

1. First
2. Second

   - nested *one*

Term
  Definition.

+------+-----+
| A    | B   |
+======+=====+
| 1    | 2|3 |
+------+-----+

See `Limits`_.

literal::

    x = 1
"""


def test_a_sphinx_page_becomes_markdown() -> None:
    doc = document(PAGE, "a.rst")
    assert outline(doc) == [(1, "Invite people", "invite-people"), (2, "Limits", "limits")]
    assert body(doc) == textwrap.dedent("""\
        Use the roles page, Save → Now, `app.Role`, `a|b`
        and [this](https://x.example/a).

        > **Note:** Only admins.

        **Linux**

        ```bash
        apt install x
        # no heading
        ```

        **New in version 2.1**

        Bulk invites.

        1. First
        2. Second
           - nested *one*

        - **Term**

          Definition.

        | A | B |
        | --- | --- |
        | 1 | 2\\|3 |

        See [Limits](#limits).

        literal:

        ```
        x = 1
        ```""")


def test_labels_come_from_the_field_list() -> None:
    read = page(PAGE, "guides/a.rst")
    assert (read.labels.audience, read.doc_version) == (("staff", "admin"), "2026-01-02")
    assert "top" in read.anchors


def test_files_are_not_pulled_in() -> None:
    notes = faults(PAGE, "a.rst")
    assert ["include" in note.message for note in notes] == [True]
    for directive in (
        "include:: /etc/hostname",
        "literalinclude:: /etc/hostname",
        "csv-table:: T\n   :file: /etc/hostname",
        "raw:: html\n   :file: /etc/hostname",
    ):
        assert body(document(f"Text\n\n.. {directive}\n", "a.rst")) == "Text"


def test_broken_markup_is_noted_and_its_text_kept() -> None:
    source = "Title\n=====\n\n+--+--+\n|a|\n+--+\n\nAfter\n"
    assert "|a|" in body(document(source, "a.rst"))
    assert faults(source, "a.rst")[0].message.startswith("Malformed table")


def test_hopeless_nesting_is_a_fault() -> None:
    deep = "".join(f"{' ' * depth}x\n\n" for depth in range(400))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)  # Python's own; some libraries raise it when they are imported
    try:
        found = faults(deep, "a.rst")
    finally:
        sys.setrecursionlimit(limit)
    assert [error.message for error in found] == ["the page is nested too deeply"]
