"""Opens pages in the Chromium of the machine, over the pipe of its DevTools protocol; the browser itself reaches no network."""
