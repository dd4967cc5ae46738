"""The built-in office plugin: its tools and the gates that hold for every profession."""
