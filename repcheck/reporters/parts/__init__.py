"""What several reporters share: words, numbers, and the views that the page is filled from."""
