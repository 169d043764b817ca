"""The compiled data plane: one module for each ext/*.pyx, built by `pip install` or `setup.py build_ext --inplace`."""
