"""The syntax of C#: tokens, syntax trees and control flow."""
