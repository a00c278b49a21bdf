"""The tasks of all contestants, for Python."""


def identity(x):
    return x


def echo(text):
    return text


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
