"""The page in the browser: its API, its event stream and its guards. Another front end to the same rooms as the CLI."""
