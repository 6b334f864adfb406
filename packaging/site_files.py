"""Pages of the documentation site: the project's own tree, so that a link that works in it works on the site too."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
SHOWN = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "CITATION.cff",
    "docs/**/*.*",
    "benchmarks/results/*.*",
    "packaging/README.md",
)


def on_files(files: Files, /, *, config: MkDocsConfig) -> Files:
    """Take the pages from where they lie in the project, and what the theme needs as it is."""
    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
    for pattern in SHOWN:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    return files
