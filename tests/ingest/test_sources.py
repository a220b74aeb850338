from __future__ import annotations

import gzip
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from typing_extensions import override

from ingest.sources import FolderSource, GitSource, SitemapLimits, SitemapSource
from ingest.sources.selection import Selection, public_url
from ingest.types import PageError, RawPage, Source, SourceError


def paths(source: Source) -> list[str]:
    return [page.path for page in source.pages() if isinstance(page, RawPage)]


def write(root: Path, *names: str) -> None:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {name}\n\ntext\n", "utf-8")


class TestFolder:
    def test_order_and_what_is_skipped(self, tmp_path: Path) -> None:
        write(tmp_path, "b.md", "a/z.rst", "a/b/c.MD", "a.adoc", ".git/x.md", "a/.hidden.md")
        write(tmp_path, "node_modules/p/README.md", "image.png", "a/data.json")
        assert paths(FolderSource("docs", tmp_path)) == ["a.adoc", "a/b/c.MD", "a/z.rst", "b.md"]

    def test_include_and_exclude(self, tmp_path: Path) -> None:
        write(tmp_path, "a.md", "guides/a.md", "guides/deep/b.md", "guides/draft.md", "x/a.txt")
        source = FolderSource("d", tmp_path, include=("guides/**", "*.txt"), exclude=("draft.*",))
        assert paths(source) == ["guides/a.md", "guides/deep/b.md", "x/a.txt"]

    def test_links_out_of_the_root_are_not_followed(self, tmp_path: Path) -> None:
        root = tmp_path / "docs"
        write(tmp_path, "docs/a.md", "outside/secret.md")
        (root / "inside.md").symlink_to(root / "a.md")
        (root / "out.md").symlink_to(tmp_path / "outside" / "secret.md")
        (root / "folder").symlink_to(tmp_path / "outside")
        (root / "gone.md").symlink_to(root / "nothing.md")
        found = list(FolderSource("d", root).pages())
        assert [page.path for page in found] == ["a.md", "gone.md", "inside.md"]
        assert isinstance(found[1], PageError)

    def test_a_missing_root_is_told(self, tmp_path: Path) -> None:
        write(tmp_path, "a.md")
        with pytest.raises(SourceError, match="does not exist; give the folder"):
            list(FolderSource("d", tmp_path / "docs").pages())
        with pytest.raises(SourceError, match="is a file"):
            list(FolderSource("d", tmp_path / "a.md").pages())

    def test_addresses(self, tmp_path: Path) -> None:
        write(tmp_path, "guides/invite.md", "index.md")
        pages = FolderSource("d", tmp_path, base_url="https://docs.harbor.example/").pages()
        urls = {page.path: page.url for page in pages if isinstance(page, RawPage)}
        assert urls["guides/invite.md"] == "https://docs.harbor.example/guides/invite"
        assert urls["index.md"] == "https://docs.harbor.example/"
        assert public_url("https://x.example", "a/README.md") == "https://x.example/a"


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.md", "a/b/c.md", True),
        ("/a/*.md", "a/b.md", True),
        ("a/*.md", "a/b/c.md", False),
        ("a/**", "a/b/c.md", True),
        ("a/", "a/b.md", True),
        ("**/c.md", "c.md", True),
        ("a/**/c.md", "a/c.md", True),
        ("a.md", "axmd.md", False),
        ("?.md", "ab.md", False),
    ],
)
def test_globs(pattern: str, path: str, matches: bool) -> None:
    assert Selection(include=(pattern,)).takes(path) is matches


def git(folder: Path, *arguments: str, day: str = "2026-01-01") -> None:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@x", "GIT_CONFIG_GLOBAL": "/dev/null"}
    who |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@x", "PATH": "/usr/bin:/bin"}
    dates = {"GIT_AUTHOR_DATE": f"{day}T12:00:00Z", "GIT_COMMITTER_DATE": f"{day}T12:00:00Z"}
    subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        env={**who, **dates},
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits: `docs/a.md` and `docs/ü b.md` on 1 January, `docs/a.md` again on 2 February."""
    root = tmp_path / "repo"
    write(root, "docs/a.md", "docs/ü b.md", "README.md", "docs/.hidden.md")
    git(tmp_path, "init", "-q", "-b", "main", "repo")
    (root / "docs" / "link.md").symlink_to("/etc/hostname")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    git(root, "tag", "v1")
    (root / "docs" / "a.md").write_bytes(b"changed\n")
    git(root, "commit", "-qam", "second", day="2026-02-02")
    return root


class TestGit:
    def test_pages_of_a_ref_with_dates(self, repository: Path) -> None:
        (repository / "docs" / "a.md").write_text("not committed", "utf-8")
        pages = list(GitSource("d", repository, folder="docs").pages())
        assert pages == [
            RawPage("a.md", b"changed\n", None, "2026-02-02"),
            RawPage("ü b.md", "# docs/ü b.md\n\ntext\n".encode(), None, "2026-01-01"),
        ]
        assert (repository / "docs" / "a.md").read_text("utf-8") == "not committed"

    def test_an_older_ref_and_a_bare_repository(self, repository: Path, tmp_path: Path) -> None:
        git(tmp_path, "clone", "-q", "--bare", str(repository), "bare.git")
        pages = list(GitSource("d", tmp_path / "bare.git", ref="v1").pages())
        assert [page.path for page in pages] == ["README.md", "docs/a.md", "docs/ü b.md"]
        assert isinstance(pages[1], RawPage)
        assert (pages[1].data, pages[1].updated) == (b"# docs/a.md\n\ntext\n", "2026-01-01")

    def test_what_cannot_be_read_is_told(self, repository: Path, tmp_path: Path) -> None:
        (tmp_path / "plain").mkdir()
        for source, part in (
            (GitSource("d", tmp_path / "none"), "is no folder"),
            (GitSource("d", tmp_path / "plain"), "not a git repository"),
            (GitSource("d", repository, ref="nope"), "name another branch"),
            (GitSource("d", repository, ref="--help"), "name another branch"),
            (GitSource("d", repository, folder="nope"), "no folder 'nope'"),
        ):
            with pytest.raises(SourceError, match=part):
                list(source.pages())

    def test_reading_may_stop_early(self, repository: Path) -> None:
        pages = GitSource("d", repository).pages()
        next(pages)
        del pages


Answers = dict[str, tuple[int, dict[str, str], bytes]]
Site = tuple[str, Answers, list[str]]


@pytest.fixture
def site() -> Iterator[Site]:
    """A real server: its address, its answers by path, and the paths that were asked for."""
    answers: Answers = {}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, headers, content = answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        @override
        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", answers, asked
        server.shutdown()
        thread.join()


HTML = {"content-type": "text/html; charset=utf-8"}


def sitemap(*urls: str, kind: str = "urlset", entry: str = "url", extra: str = "") -> bytes:
    entries = "".join(f"<{entry}><loc>{url}</loc>{extra}</{entry}>" for url in urls)
    name = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return f'<?xml version="1.0"?><{kind} xmlns="{name}">{entries}</{kind}>'.encode()


class TestSitemap:
    def test_an_index_of_sitemaps(self, site: Site) -> None:
        base, answers, _ = site
        index = sitemap(
            f"{base}/one.xml", f"{base}/two.xml.gz", kind="sitemapindex", entry="sitemap"
        )
        day = "<lastmod>2026-03-04T10:00:00Z</lastmod>"
        answers["/sitemap.xml"] = (200, {}, index)
        answers["/one.xml"] = (200, {}, sitemap(f"{base}/guides/b/", f"{base}/a", extra=day))
        answers["/two.xml.gz"] = (
            200,
            {},
            gzip.compress(sitemap(f"{base}/c.md", f"{base}/gone", f"{base}/x.zip", f"{base}/")),
        )
        answers["/guides/b/"] = (301, {"location": "/guides/moved"}, b"")
        answers["/guides/moved"] = (200, HTML, b"<p>b</p>")
        answers["/a"] = (200, HTML, b"<p>a</p>")
        answers["/x.zip"] = (200, {"content-type": "application/zip"}, b"PK")
        answers["/c.md"] = (
            200,
            {"content-type": "text/markdown", "last-modified": "Tue, 03 Feb 2026 10:00:00 GMT"},
            b"# C\n\nc\n",
        )
        answers["/"] = (200, HTML, b"<p>home</p>")
        found = list(SitemapSource("d", f"{base}/sitemap.xml").pages())
        assert [page for page in found if isinstance(page, RawPage)] == [
            RawPage("a.html", b"<p>a</p>", f"{base}/a", "2026-03-04"),
            RawPage("c.md", b"# C\n\nc\n", f"{base}/c.md", "2026-02-03"),
            RawPage("guides/b/index.html", b"<p>b</p>", f"{base}/guides/b/", "2026-03-04"),
            RawPage("index.html", b"<p>home</p>", f"{base}/", None),
        ]
        (error,) = [page for page in found if isinstance(page, PageError)]
        assert (error.path, "404" in error.message) == ("gone", True)

    def test_other_origins_are_never_asked(self, site: Site) -> None:
        base, answers, asked = site
        outside = "http://127.0.0.1:9/secret"
        answers["/sitemap.xml"] = (200, {}, sitemap(outside, f"{base}/hop", f"{base}/loop"))
        answers["/hop"] = (302, {"location": outside}, b"")
        answers["/loop"] = (302, {"location": "/loop"}, b"")
        found = list(SitemapSource("d", f"{base}/sitemap.xml").pages())
        messages = [page.message for page in found if isinstance(page, PageError)]
        assert [("another origin" in text, "redirects" in text) for text in messages] == [
            (True, False),
            (False, True),
            (True, False),
        ]
        assert asked == ["/sitemap.xml", "/hop", *["/loop"] * 4]

    def test_sizes_and_counts_are_capped(self, site: Site) -> None:
        base, answers, _ = site
        answers["/sitemap.xml"] = (200, {}, sitemap(f"{base}/a", f"{base}/b"))
        answers["/a"] = (200, HTML, b"x" * 2_000)
        answers["/b"] = (200, HTML, gzip.compress(b"x" * 1_000_000))
        limits = SitemapLimits(page_bytes=1_500)
        found = list(SitemapSource("d", f"{base}/sitemap.xml", limits=limits).pages())
        assert [isinstance(page, PageError) and "longer" in page.message for page in found] == [
            True,
            True,
        ]
        with pytest.raises(SourceError, match="more than 1 pages"):
            list(SitemapSource("d", f"{base}/sitemap.xml", limits=SitemapLimits(pages=1)).pages())

    @pytest.mark.parametrize(
        ("content", "part"),
        [
            (b"<urlset><url>", "not XML"),
            (b"<html></html>", "no sitemap"),
            (b'<!DOCTYPE x [<!ENTITY a "b">]><urlset>&a;</urlset>', "document type"),
        ],
    )
    def test_what_is_no_sitemap_is_told(
        self,
        site: Site,
        content: bytes,
        part: str,
    ) -> None:
        base, answers, _ = site
        answers["/sitemap.xml"] = (200, {}, content)
        with pytest.raises(SourceError, match=part):
            list(SitemapSource("d", f"{base}/sitemap.xml").pages())
        with pytest.raises(SourceError, match="404"):
            list(SitemapSource("d", f"{base}/other.xml").pages())

    @pytest.mark.parametrize(
        ("url", "part"),
        [
            ("http://192.0.2.1/sitemap.xml", "not this machine"),
            ("http://169.254.169.254/latest", "not this machine"),
            ("http://[2001:db8::1]/s.xml", "not this machine"),
            ("file:///etc/hostname", "no http"),
            ("sitemap.xml", "no http"),
        ],
    )
    def test_only_this_machine_unless_told(self, url: str, part: str) -> None:
        with pytest.raises(SourceError, match=part):
            list(SitemapSource("d", url).pages())

    def test_a_server_that_is_not_there(self) -> None:
        with pytest.raises(SourceError, match=r"127\.0\.0\.1:9"):
            list(SitemapSource("d", "http://127.0.0.1:9/sitemap.xml").pages())
