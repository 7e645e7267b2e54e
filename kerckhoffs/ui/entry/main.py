"""The main script: every visit, whatever its address, begins here and goes on in the file of its page."""

if __name__ == "__main__":  # the processes in which attackers make something import the main script, too
    from functools import partial

    import streamlit as st

    from kerckhoffs.ui import preload
    from kerckhoffs.ui.pages import MOVED, PAGES

    pages = {each.name: st.Page(each.file, title=each.title, default=each is PAGES[0]) for each in PAGES}
    moved = [
        st.Page(partial(st.switch_page, pages[new]), title=pages[new].title, url_path=old)
        for old, new in MOVED.items()
        if new in pages
    ]
    page = st.navigation([*pages.values(), *moved], position="hidden")
    if page.url_path == "":
        preload.evaluate()
    page.run()
