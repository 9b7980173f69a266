"""A tiny corpus of the layout of IMDb's archive."""

from pathlib import Path


def write_imdb(directory: Path) -> Path:
    """An extracted `aclImdb` of 40 made-up reviews in each of its four folders, about 10 films in each split."""
    root = directory / "aclImdb"
    for split in ("train", "test"):
        for sentiment, rating in (("neg", 2), ("pos", 9)):
            folder = root / split / sentiment
            folder.mkdir(parents=True)
            for number in range(40):
                word = "dreadful" if sentiment == "neg" else "wonderful"
                text = f"Review {number} of the {split} part: it was {word}, <br /><br />film {number // 4} was long."
                (folder / f"{number}_{rating}.txt").write_text(text, encoding="utf-8")
            films = [f"tt{split == 'test':d}{number // 4:06d}" for number in range(40)]
            urls = "".join(f"http://www.imdb.com/title/{film}/usercomments\n" for film in films)
            (root / split / f"urls_{sentiment}.txt").write_text(urls)
    return root


def write_unlabelled(root: Path) -> Path:
    """Add 40 texts without a label to an extracted `aclImdb`: 4 on each of 10 films, the sixth one of test, and the
    last 4 copies of test reviews."""
    (root / "train" / "unsup").mkdir()
    for number in range(40):
        copy = root / "test" / "pos" / f"{number}_9.txt"
        text = copy.read_text() if number >= 36 else f"Nobody rated {number}, which had a plot."
        (root / "train" / "unsup" / f"{number}_0.txt").write_text(text)
    films = [f"tt{number // 4 == 5:d}{number // 4:06d}" for number in range(40)]
    urls = "".join(f"http://www.imdb.com/title/{film}/usercomments\n" for film in films)
    (root / "train" / "urls_unsup.txt").write_text(urls)
    return root
