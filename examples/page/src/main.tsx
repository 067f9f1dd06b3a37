import { render } from 'preact';
import { App } from './App';
import { startLook, startState } from './state';
import './style.css';
import './panel.css';
import './content.css';

startLook();
render(<App />, document.getElementById('app')!);
void startState();
