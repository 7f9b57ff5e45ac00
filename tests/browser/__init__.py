"""The pages in a real browser: Playwright drives the machine's own Chromium, and no page may reach for a network."""
