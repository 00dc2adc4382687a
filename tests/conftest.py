"""What the whole suite shares: the option for sizes that take minutes."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--large`: run the tests marked `large` too."""
    parser.addoption("--large", action="store_true", help="also run the tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is large unless asked for."""
    if not config.getoption("--large"):
        for item in items:
            if item.get_closest_marker("large"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: run with --large"))
