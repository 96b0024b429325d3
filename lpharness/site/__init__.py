"""The store as pages: a static site, and the same served live. ``docs/site.md`` tells of both."""
