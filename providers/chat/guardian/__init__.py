"""The tool-call guardian: what makes the calls of weak models usable. Pure.

Free and local models write tool calls as text, with wrong names, strings for numbers and nulls for what is left out;
a client such as Claude Code then stalls. The guardian finds calls in the text of an answer whose request declares
tools, in the forms that ``forms`` lists, and repairs them and those that came properly:

- only a declared name makes a call; its case is mended, and any other name leaves the text as it is;
- text goes out at once, but for what may begin a call; what turns out to be none goes out as it came;
- code, quotations and explanations that mention a mark are text (``context``);
- arguments become what the tool's schema wants, where they surely mean it (``mend``);
- a call that a stream cuts short never becomes a closed block.
"""

from providers.chat.guardian.filter import Guardian
from providers.chat.guardian.repairs import Declared, Repair

__all__ = ["Declared", "Guardian", "Repair"]
