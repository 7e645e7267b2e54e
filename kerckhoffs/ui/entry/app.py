"""What app.py is in a checkout, for an installed package: `kerckhoffs app` has Streamlit run this file."""

import streamlit as st

from kerckhoffs.ui import server

# Streamlit finds this call by reading the text.
app = st.App(server.MAIN, routes=server.ROUTES, middleware=server.MIDDLEWARE, lifespan=server.lifespan)
