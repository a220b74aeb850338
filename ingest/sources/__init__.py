"""folder, git checkout or sitemap -> RawPage, lazily and in path order."""

from ingest.sources.folder import FolderSource
from ingest.sources.git import GitSource
from ingest.sources.sitemap import SitemapLimits, SitemapSource

__all__ = ["FolderSource", "GitSource", "SitemapLimits", "SitemapSource"]
