"""The report site's pages: a module a topic, each a list of questions in SQL over marts with how to show their answers.

Here belongs what is asked and said. Not here: how it looks (`ml.reports.site`), running the queries (`core.reading`), the assets
(`assets.reports`).
"""
