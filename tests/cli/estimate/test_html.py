import re
from html.parser import HTMLParser

from tests.cli.estimate.test_rows import booked, cut, row
from tests.cli.estimate.test_told import told
from tokenpak.cli.estimate.html import MOST_BARS, page

EVIL = '<script>alert("x")</script>&amp;'
VOID = {"meta", "line", "rect", "!doctype"}


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.attributes, self.words = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += [(tag, *each) for each in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += [(tag, *each) for each in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


ROWS = [row(booked(cut(300, 30)), session="good"), row(booked(), session="bad"), row(booked(bill=None), session=EVIL)]


def test_it_is_whole_and_needs_nothing_else():
    text = page(told(*ROWS))
    tags = Tags(text)
    assert tags.open == []
    assert "script" not in tags.seen
    assert "img" not in tags.seen
    assert not [
        each for each in tags.attributes if each[1] in {"src", "href", "xlink:href"} or each[1].startswith("on")
    ]
    assert not re.search(r"https?://|@import|url\(", text)
    assert "default-src 'none'" in text


def test_names_from_logs_are_text():
    text = page(told(*ROWS))
    assert "<script" not in text
    assert EVIL in Tags(text).words


def test_the_worst_session_is_marked_in_chart_and_table():
    text = page(told(*ROWS))
    assert text.count('class="bar worst"') == 1
    (line,) = re.findall(r'<tr class="worst">.*?</tr>', text)
    assert "bad" in line
    assert "0.0% worst" in text


def test_bars_are_as_long_as_what_they_stand_for():
    rows = [row(booked(cut(300, nanos)), session=f"s{nanos}") for nanos in (10, 20, 40)]
    text = page(told(*rows)).split("Savings of each session")[1]
    widths = [float(each) for each in re.findall(r'class="bar[^"]*" x="\d+" y="\d+" width="([\d.]+)"', text)]
    assert widths == [105.0, 210.0, 420.0]


def test_the_distribution_counts_every_session():
    text = page(told(*ROWS)).split("Distribution of savings")[1].split("</svg>")[0]
    numbers = re.findall(r'text-anchor="middle">(\d+)</text>', text)
    assert sum(map(int, numbers)) == 3
    assert sorted(numbers) == ["1", "2"]


def test_what_is_not_known_stands_there():
    found = told(*ROWS)
    words = Tags(page(found)).words
    assert all(sentence in words for sentence in found.unknown)


def test_a_page_of_nothing_and_one_of_many():
    assert "0 past sessions" in page(told())
    rows = [row(booked(original=nth + 1), session=f"s{nth}") for nth in range(MOST_BARS + 3)]
    assert "3 smaller ones are left out" in page(told(*rows))
