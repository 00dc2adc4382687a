"""The report site's parts: values for people, tables, charts and the frame around them, as HTML text from plain values.

Here belongs how a page looks and behaves, whatever it speaks of. Not here: which pages there are and what they ask (`assets.pages`),
where they are written.
"""
