"""Files below the roots: found without leaving them, listed, read, uploaded, archived. Knows no HTTP."""
