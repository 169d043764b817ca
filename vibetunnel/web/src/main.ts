/** Where the bundle begins: styles and the application element. */

import "./styles/fonts.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/people.css";
import "./styles/login.css";
import "./styles/sessions.css";

import "./components/app.js";
