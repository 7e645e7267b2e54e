"""The app: `streamlit run app.py`. Its pages are in pages/, what is served beside them in kerckhoffs/ui/server.py."""

import streamlit as st

from kerckhoffs.ui import server

# Streamlit finds this call by reading the text.
app = st.App(server.MAIN, routes=server.ROUTES, middleware=server.MIDDLEWARE, lifespan=server.lifespan)
