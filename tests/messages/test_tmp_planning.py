"""TEMPORARY"""
import sys, ast, re
import pytest
import trustsem as ts
from helpers import SOURCE
from messages import planning
from messages.test_messages import raise_lines

@pytest.mark.parametrize("name", planning.MISTAKES)
def test_m(name):
    mistake = planning.MISTAKES[name]
    with pytest.raises(mistake.error) as caught:
        mistake.call()
    text = str(caught.value)
    for fragment in mistake.helpful:
        assert fragment in text, text
    sentence = text.split("\n")[0]
    assert sentence[0].isupper() or re.match(r"[a-z_0-9']+(=|\(|'| )", sentence), text
    assert sentence[-1] in ".?", text

def test_reach():
    files=[str(p) for p in (SOURCE/"planning").glob("*.py")]
    reached=set()
    def trace(frame,event,_):
        if frame.f_code.co_filename not in files: return None
        if event=="line": reached.add((frame.f_code.co_filename,frame.f_lineno))
        return trace
    sys.settrace(trace)
    try:
        for m in planning.MISTAKES.values():
            try: m.call()
            except ts.TrustsemError: continue
    finally: sys.settrace(None)
    from pathlib import Path
    missed=[f"{Path(f).name}:{line} {src[:80]}" for f in files for line,src in raise_lines(Path(f)).items() if (f,line) not in reached]
    assert not missed, "\n".join(missed)
