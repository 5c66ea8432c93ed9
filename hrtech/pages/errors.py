"""The one error of the page kit."""


class PageError(ValueError):
    """A page that may not, or cannot, be made."""
