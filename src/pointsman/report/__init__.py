"""An evaluation as pages that people read: HTML, Markdown and figures."""
