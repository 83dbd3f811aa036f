"""The syntax of C#: tokens, trees, and the flow of control through them."""
