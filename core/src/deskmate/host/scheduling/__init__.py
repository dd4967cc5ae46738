"""Work that nobody watches: when it is due, who carries it out, and what is true of it afterwards."""
